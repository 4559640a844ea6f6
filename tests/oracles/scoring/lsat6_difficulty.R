# 2PL of LSAT6 in the difficulty parametrisation P = 1 / (1 + exp(-a (theta - b))), base R and numDeriv: the marginal
# likelihood is maximised over (a, b) itself, so the standard errors of b come from its own Hessian, with no delta method.
# Also the standard error of the test characteristic curve and of the test information at three points, from a numerical
# gradient in (a, b) and the inverse Hessian.
# Run: Rscript lsat6_difficulty.R ../../data/lsat6.csv > lsat6_difficulty.txt
library(numDeriv)
table <- read.csv(commandArgs(trailingOnly = TRUE)[1])
x <- as.matrix(table[, 1:5]); n <- table[, 6]
theta <- seq(-8, 8, length.out = 401); w <- dnorm(theta); w <- w / sum(w)
minus <- function(p) {
  a <- p[1:5]; b <- p[6:10]
  z <- sapply(1:5, function(j) a[j] * (theta - b[j]))
  logs <- x %*% t(plogis(z, log.p = TRUE)) + (1 - x) %*% t(plogis(-z, log.p = TRUE))
  -sum(n * log(exp(logs) %*% w))
}
fit <- optim(c(rep(1, 5), -3, -1, 0, -2, -3), minus, method = "BFGS", control = list(maxit = 1000, reltol = 1e-15))
fit <- optim(fit$par, minus, method = "BFGS", control = list(maxit = 1000, reltol = 1e-16))
v <- solve(hessian(minus, fit$par))
for (j in 1:5) cat("b", j, sprintf("%.8f %.8f", fit$par[5 + j], sqrt(v[5 + j, 5 + j])), "\n")
tcc <- function(p, t) sum(plogis(p[1:5] * (t - p[6:10])))
info <- function(p, t) { q <- plogis(p[1:5] * (t - p[6:10])); sum(p[1:5]^2 * q * (1 - q)) }
for (f in c("tcc", "info")) for (t in c(-1.5, 0, 2)) {
  g <- grad(function(p) get(f)(p, t), fit$par)
  cat(f, t, sprintf("%.8f %.8f", get(f)(fit$par, t), sqrt(drop(g %*% v %*% g))), "\n")
}
