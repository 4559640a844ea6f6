# R lme4 1.1-31, REML: children x raters, one item of MPsychoR's Lakes at a time, children rated by all five raters.
# With balanced data and positive components REML equals the analysis of variance.
# Rscript lme4_lakes.R mpsychor_Lakes.csv
suppressMessages(library(lme4))
d <- read.csv(commandArgs(TRUE)[1])
for (item in c("phy1", "cog3")) {
  x <- d[d$item == item & !is.na(d$score), ]
  x <- x[x$personID %in% names(which(table(x$personID) == 5)), ]
  v <- as.data.frame(VarCorr(lmer(score ~ (1 | personID) + (1 | raterID), x,
    control = lmerControl(optCtrl = list(ftol_abs = 1e-12, xtol_abs = 1e-10)))))
  cat(item, length(unique(x$personID)), format(v$vcov, digits = 8), "\n")
}
