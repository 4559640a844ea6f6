# Scores of the Science pattern (4, 4, 3, 2) under the graded model, base R only, independent of the package.
# Item parameters: R mirt 1.47 (Science, graded; a, d1, d2, d3). Run: Rscript science_pattern.R
par <- rbind(c(1.04064155, 4.8627214, 2.63916414, -1.46545664),
             c(1.22583274, 2.92400037, 0.90113056, -2.26642972),
             c(2.30059484, 5.24517518, 2.21864275, -1.96749614),
             c(1.0937995, 3.34688447, 0.99141956, -1.68753094))
x <- c(4, 4, 3, 2)
prob <- function(t, j) { f <- c(1, plogis(par[j, 1] * t + par[j, 2:4]), 0); f[1:4] - f[2:5] }
loglik <- function(t) sum(sapply(1:4, function(j) log(prob(t, j)[x[j]])))
d1 <- function(f, t, h = 1e-5) (f(t + h) - f(t - h)) / (2 * h)
info <- function(t) sum(sapply(1:4, function(j) { p <- prob(t, j); dp <- (prob(t + 1e-5, j) - prob(t - 1e-5, j)) / 2e-5; sum(dp^2 / p) }))
warm <- function(t) sum(sapply(1:4, function(j) {
  p <- prob(t, j); h <- 1e-4
  dp <- (prob(t + h, j) - prob(t - h, j)) / (2 * h); d2p <- (prob(t + h, j) - 2 * p + prob(t - h, j)) / h^2
  sum(dp * d2p / p) }))
nodes <- seq(-6, 6, length.out = 61); w <- exp(sapply(nodes, loglik)) * dnorm(nodes); w <- w / sum(w)
eap <- sum(w * nodes); cat("EAP", sprintf("%.7f %.7f", eap, sqrt(sum(w * nodes^2) - eap^2)), "\n")
map <- optimize(function(t) loglik(t) - t^2 / 2, c(-4, 4), maximum = TRUE, tol = 1e-10)$maximum
cat("MAP", sprintf("%.7f %.7f", map, 1 / sqrt(info(map) + 1)), "\n")
ml <- optimize(loglik, c(-4, 4), maximum = TRUE, tol = 1e-10)$maximum
cat("ML ", sprintf("%.7f %.7f", ml, 1 / sqrt(info(ml))), "\n")
wle <- uniroot(function(t) d1(loglik, t) + warm(t) / (2 * info(t)), c(-4, 4), tol = 1e-12)$root
cat("WLE", sprintf("%.7f %.7f", wle, 1 / sqrt(info(wle))), "\n")
