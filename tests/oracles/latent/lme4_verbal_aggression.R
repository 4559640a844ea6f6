# Rasch model of the 24 dichotomised verbal aggression items with the person covariates Anger and Gender: an explanatory
# item response model (De Boeck & Wilson 2004, chapter 2), fitted by lme4 1.1-31 with 31-point adaptive quadrature.
# Anger is centred at 20 and the optimiser's tolerances are tight: without that, lme4 stops on the ridge between Anger
# and the item effects, 0.004 log-likelihood units below the maximum.
# Writes the numbers that test_regression.py holds. Run: Rscript lme4_verbal_aggression.R
library(lme4)
data(VerbAgg)
VerbAgg$male <- as.numeric(VerbAgg$Gender == "M")
VerbAgg$anger <- VerbAgg$Anger - 20
tight <- list(xtol_abs = 1e-10, ftol_abs = 1e-10, maxeval = 20000)
fit <- glmer(r2 ~ 0 + item + anger + male + (1 | id), data = VerbAgg, family = binomial, nAGQ = 31,
             control = glmerControl(optimizer = "nloptwrap", calc.derivs = FALSE, optCtrl = tight))
print(summary(fit)$coefficients[c("anger", "male"), ], digits = 8)
print(VarCorr(fit), digits = 8)
print(fixef(fit)[1:6], digits = 8)
print(logLik(fit), digits = 10)
