"""The version of the package, read by the build and by every saved artefact."""

VERSION = "0.1.0"
