# R psych 2.2.9: ICC(x, lmer = FALSE) of Shrout & Fleiss (1979, Table 2) and of irr's anxiety and video ratings.
# Rscript psych_icc.R FOLDER   (FOLDER: where irr_anxiety.csv and irr_video.csv lie)
suppressMessages(library(psych))
folder <- commandArgs(TRUE)[1]
show <- function(name, x) {
  r <- ICC(x, lmer = FALSE)$results
  cat("#", name, "\n")
  write.table(format(cbind(r[, c("ICC", "F", "df1", "df2", "p")], r[, 7:8]), digits = 10), quote = FALSE, col.names = FALSE)
}
show("shrout_fleiss", matrix(c(9,2,5,8, 6,1,3,2, 8,4,6,8, 7,1,2,6, 10,5,6,9, 6,2,4,7), ncol = 4, byrow = TRUE))
show("anxiety", as.matrix(read.csv(file.path(folder, "irr_anxiety.csv"))))
show("video", as.matrix(read.csv(file.path(folder, "irr_video.csv"))))
