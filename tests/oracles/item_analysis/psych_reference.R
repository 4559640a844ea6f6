# Expected values of tests/test_item_analysis_oracles.py. Made with R 4.2.2 and psych 2.2.9:
#   Rscript psych_reference.R <folder with psychTools_bfi.csv and mirt_Science4.csv> <lsat7 count table> psych_reference.json
suppressMessages({library(psych); library(jsonlite)})
args <- commandArgs(trailingOnly = TRUE)
bfi <- read.csv(file.path(args[1], "psychTools_bfi.csv"))
keys <- list(agree = c("-A1", "A2", "A3", "A4", "A5"), conscientious = c("C1", "C2", "C3", "-C4", "-C5"),
             extraversion = c("-E1", "-E2", "E3", "E4", "E5"), neuroticism = c("N1", "N2", "N3", "N4", "N5"),
             openness = c("O1", "-O2", "O3", "O4", "-O5"))
turn <- function(key) {
  x <- bfi[sub("-", "", key)]
  for (i in grep("^-", key)) x[[i]] <- 7 - x[[i]]
  x
}
counts <- read.csv(args[2])
sets <- c(lapply(keys, turn), list(
  science = read.csv(file.path(args[1], "mirt_Science4.csv")),
  lsat7 = counts[rep(seq_len(nrow(counts)), counts[[6]]), 1:5]))
describe <- function(x) {
  C <- cov(x, use = "pairwise"); R <- cov2cor(C)
  load <- as.numeric(fa(R, 1, fm = "minres", n.obs = nrow(x))$loadings[, 1])
  om <- suppressMessages(suppressWarnings(omega(R, nfactors = 1, plot = FALSE)))
  a <- suppressMessages(psych::alpha(x, warnings = FALSE))
  out <- list(alpha = a$total$raw_alpha, alpha_standardised = a$total$std.alpha, average_r = a$total$average_r,
              feldt = as.numeric(unlist(a$feldt)[c(1, 3)]), alpha_without = a$alpha.drop$raw_alpha,
              item_rest = a$item.stats$r.drop, mean = a$item.stats$mean, sd = a$item.stats$sd, loadings = load,
              omega_standardised = om$omega.tot, omega = 1 - sum(diag(C) * (1 - load^2)) / sum(C))
  if (!anyNA(x)) {
    odd <- rowSums(x[, seq(1, ncol(x), 2)]); even <- rowSums(x[, seq(2, ncol(x), 2)])
    out$item_total <- a$item.stats$raw.r
    out$split_half <- 4 * cov(odd, even) / var(odd + even)
    out$sum_mean <- mean(rowSums(x)); out$sum_sd <- sd(rowSums(x))
    out$first_item_category_rest <- sapply(sort(unique(x[[1]])), function(k) cor(x[[1]] == k, rowSums(x[, -1])))
  }
  out
}
writeLines(toJSON(lapply(sets, describe), digits = 10, auto_unbox = TRUE, pretty = TRUE), args[3])
