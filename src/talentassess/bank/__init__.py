"""Competencies, item banks and keys: read, check, and turn raw answers into scored ones.

Follow an answer through the files: ``schema`` (what a bank holds), ``load`` (read it), ``check`` (review its content),
``tables`` (read answers), ``answers`` (raw answers), ``keys`` (what an answer is worth), ``scoring`` (scored answers).
"""
