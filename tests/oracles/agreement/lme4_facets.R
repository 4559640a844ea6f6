# R lme4 1.1-31: the many-facet Rasch model of two categories as a logistic mixed model, 25 quadrature points.
# Rscript lme4_facets.R sirt_ratings1.csv   (ratings k1..k5 cut at 2)
suppressMessages(library(lme4))
d <- read.csv(commandArgs(TRUE)[1])
items <- c("k1", "k2", "k3", "k4", "k5")
long <- do.call(rbind, lapply(items, function(k)
  data.frame(person = factor(d$idstud), rater = factor(d$rater), item = k, y = as.integer(d[[k]] >= 2))))
long <- long[!is.na(long$y), ]
contrasts(long$rater) <- contr.sum(nlevels(long$rater))
m <- glmer(y ~ 0 + item + rater + (1 | person), long, binomial, nAGQ = 25,
           control = glmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 2e5, rhoend = 1e-9)))
cat("# raters", levels(long$rater), "(the last is minus the sum of the others)\n")
write.table(format(coef(summary(m))[, 1:2], digits = 8), quote = FALSE, col.names = FALSE)
cat("sd", format(attr(VarCorr(m)$person, "stddev"), digits = 8), "\n")
cat("loglik", format(as.numeric(logLik(m)), digits = 9), "\n")
