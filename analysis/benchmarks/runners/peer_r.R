# R packages mirt, ltm and psych, if this machine has them. Same protocol as runners/protocol.py.
# Arguments: package task model data-folder N J K heavy
args <- commandArgs(trailingOnly = TRUE)
package <- args[1]; model <- args[3]; folder <- args[4]
n <- as.integer(args[5]); j <- as.integer(args[6]); k <- as.integer(args[7]); heavy <- args[8] == "True"
say <- function(...) { cat(..., "\n", sep = ""); flush(stdout()) }
if (!requireNamespace(package, quietly = TRUE)) {
  say('{"unavailable": "R has no package ', package, ' here."}'); quit(save = "no")
}
x <- matrix(readBin(file.path(folder, "x.bin"), integer(), n * j, size = 1L, signed = TRUE), n, j, byrow = TRUE)
x[x < 0] <- NA
colnames(x) <- paste0("q", seq_len(j))
types <- c("2pl" = "2PL", "3pl" = "3PL", "graded" = "graded", "gpcm" = "gpcm")

fit_mirt <- function(x) {
  prior <- if (model == "3pl") paste0("F = 1-", j, "\nPRIOR = (1-", j, ", g, expbeta, 5, 17)") else 1
  mirt::mirt(as.data.frame(x), prior, itemtype = types[[model]], quadpts = 61, TOL = 1e-4, SE = FALSE,
             verbose = FALSE, technical = list(NCYCLES = 5000, theta_lim = c(-6, 6)))
}
fit_ltm <- function(x) {
  data <- as.data.frame(x)
  switch(model, "2pl" = ltm::ltm(data ~ z1, IRT.param = FALSE, control = list(GHk = 61)),
         graded = ltm::grm(data, IRT.param = FALSE, control = list(GHk = 61)),
         stop("ltm has no comparable fit of ", model))
}
fit_psych <- function(x) psych::alpha(as.data.frame(x), warnings = FALSE, check.keys = FALSE)
fit <- list(mirt = fit_mirt, ltm = fit_ltm, psych = fit_psych)[[package]]

numbers <- function(v) paste0("[", paste(sprintf("%.12g", v), collapse = ","), "]")
rows <- function(m) paste0("[", paste(apply(m, 1, numbers), collapse = ","), "]")
describe <- function(found) {
  if (package == "psych") return(paste0('{"alpha": ', sprintf("%.15g", found$total$raw_alpha), "}"))
  if (package == "mirt") {
    table <- mirt::coef(found, simplify = TRUE)$items
    intercepts <- setdiff(grep("^d[0-9]*$", colnames(table), value = TRUE), "d0")
    slope <- table[, "a1"]; intercept <- table[, intercepts, drop = FALSE]
    guessing <- if (model == "3pl") paste0(', "guessing": ', numbers(table[, "g"])) else ""
    return(paste0('{"slope": ', numbers(slope), ', "intercept": ', rows(intercept), guessing,
                  ', "iterations": ', mirt::extract.mirt(found, "iterations"), "}"))
  }
  table <- stats::coef(found)
  if (is.list(table)) table <- do.call(rbind, table)
  if (model == "2pl") { slope <- table[, 2]; intercept <- table[, 1, drop = FALSE] }
  # ltm::grm states P(x <= k) = logis(beta_k - beta z)
  else { slope <- table[, k]; intercept <- -table[, seq_len(k - 1), drop = FALSE] }
  paste0('{"slope": ', numbers(slope), ', "intercept": ', rows(intercept), "}")
}

took <- system.time(found <- fit(if (heavy) x[seq_len(2000), ] else x))
version <- paste0('{"R": "', getRversion(), '", "', package, '": "', utils::packageVersion(package), '"}')
say('{"ready": true, "first": ', if (heavy) "null" else sprintf("%.6f", took[["elapsed"]]),
    ', "prepare": 0, "versions": ', version, "}")
orders <- file("stdin", open = "r")
while (length(line <- readLines(orders, 1)) > 0) {
  if (trimws(line) == "run") {
    took <- system.time(found <- fit(x), gcFirst = TRUE)
    say(sprintf('{"wall": %.6f, "cpu": %.6f}', took[["elapsed"]], took[["user.self"]] + took[["sys.self"]]))
  } else say(describe(found))
}
