/* Expectation propagation over correlated latent dimensions: the same numbers as ep_reference.py, person by person.
 *
 * Every dimension has its own groups of items; the joint probabilities of a group's answers stand ready in a table, so
 * that a person's likelihood on a dimension is a product of table rows. Nodes come in blocks of eight. Nothing here
 * knows Python: the caller hands over plain arrays, and threads are the caller's (each with its own range of persons
 * and its own sums).
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__gnu_linux__)
#define DISPATCH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DISPATCH
#endif
#define INLINE static inline __attribute__((always_inline))

#define NARROWEST 1e-3 /* as in ep_reference.py */

typedef double v8 __attribute__((vector_size(64)));
typedef int64_t i8 __attribute__((vector_size(64)));

enum { SETTLED = 0, UNSETTLED = 1, GUARDED = 2, FAILED = 3 };

typedef struct {
    int64_t first, last;        /* persons */
    int64_t n_dims, n_blocks;   /* latent dimensions; blocks of eight nodes */
    int64_t n_groups;           /* groups of items */
    int64_t max_sweeps;
    double spacing, tol;
    const int64_t *dim_starts;  /* (D + 1) first item group of each dimension */
    const int64_t *row_starts;  /* (G) first table row of each item group */
    const uint16_t *codes;      /* (N, G) row within the group */
    const uint8_t *answered;    /* (N, D) */
    const int64_t *population;  /* (N) */
    const double *weight;       /* (N) */
    const double *nodes;        /* (8 B) */
    const double *table;        /* (rows, 8 B) */
    const double *precision;    /* (P, D, D) */
    const double *shift;        /* (P, D) precision times mean */
    const double *constant;     /* (P) 0.5 log|precision| - 0.5 mean' precision mean */
    const double *floor;        /* (P) smallest site precision of a guarded person */
    double *tau, *nu;           /* (N, D) in and out */
    double *evidence;           /* (N) out */
    uint8_t *status;            /* (N) out */
    double *counts;             /* (rows, 8 B) out, added to, as are the moments */
    double *first_moment;       /* (P, D) */
    double *second_moment;      /* (P, D, D) */
} EpTask;

struct person {                 /* working space of one person */
    v8 *likelihood, *tilted;    /* (D, B) */
    double *v, *m, *chol;       /* (D, D), (D), (D, D) */
    double *part, *scale;       /* (D) evidence of each site; log scale of each likelihood */
    double *inverse_sum;        /* (D) one over the sum of the tilted weights */
    double log_det;
};

INLINE double total(v8 a) { return ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7])); }

/* exp of non-positive numbers to about 1e-15: range reduction by powers of two, then a polynomial of degree 12 */
INLINE v8 exp8(v8 x) {
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: the sum's low bits are the nearest integer */
    i8 low = x < -700.0;
    x = (v8)(((i8)x & ~low) | ((i8)(x * 0.0 - 700.0) & low));
    v8 t = x * 1.4426950408889634 + magic, n = t - magic;
    v8 r = x - n * 6.93147180369123816490e-01;
    r = r - n * 1.90821492927058770002e-10;
    v8 p = r * (1.0 / 479001600) + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    return (v8)((i8)p + ((i8)t << 52));
}

/* products of table rows on every dimension, kept away from underflow; 0 if a pattern has no probability anywhere */
INLINE int likelihoods(const EpTask *t, int64_t nb, int64_t i, struct person *w) {
    const uint16_t *code = t->codes + i * t->n_groups;
    for (int64_t d = 0; d < t->n_dims; d++) {
        v8 *out = w->likelihood + d * nb;
        double log_scale = 0;
        for (int64_t b = 0; b < nb; b++) out[b] = (v8){1, 1, 1, 1, 1, 1, 1, 1};
        for (int64_t g = t->dim_starts[d]; g < t->dim_starts[d + 1]; g++) {
            const v8 *row = (const v8 *)t->table + (t->row_starts[g] + code[g]) * nb;
            for (int64_t b = 0; b < nb; b++) out[b] *= row[b];
            if ((g - t->dim_starts[d]) % 4 != 3 && g + 1 != t->dim_starts[d + 1]) continue;
            v8 s = out[0];
            for (int64_t b = 1; b < nb; b++) s += out[b];
            double sum = total(s);
            if (!(sum > 0) || !isfinite(sum)) return 0;
            if (sum > 1e-40) continue;
            for (int64_t b = 0; b < nb; b++) out[b] *= 1 / sum;
            log_scale += log(sum);
        }
        w->scale[d] = log_scale;
    }
    return 1;
}

/* posterior covariance and mean from the sites, by Cholesky; 0 if the sites leave no proper posterior */
INLINE int gather(const EpTask *t, const double *tau, const double *nu, int64_t p, struct person *w) {
    const int64_t n = t->n_dims;
    const double *precision = t->precision + p * n * n, *shift = t->shift + p * n;
    double *c = w->chol, *v = w->v;
    w->log_det = 0;
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = 0; k <= j; k++) {
            double s = precision[j * n + k] + (j == k ? tau[j] : 0.0);
            for (int64_t l = 0; l < k; l++) s -= c[j * n + l] * c[k * n + l];
            if (j == k) {
                if (!(s > 1e-12)) return 0;
                c[j * n + j] = sqrt(s);
                w->log_det += log(s);
            } else
                c[j * n + k] = s / c[k * n + k];
        }
    for (int64_t col = 0; col < n; col++) {
        for (int64_t j = 0; j < n; j++) {
            double s = j == col ? 1.0 : 0.0;
            for (int64_t l = col; l < j; l++) s -= c[j * n + l] * v[l * n + col];
            v[j * n + col] = j < col ? 0.0 : s / c[j * n + j];
        }
        for (int64_t j = n - 1; j >= 0; j--) {
            double s = v[j * n + col];
            for (int64_t l = j + 1; l < n; l++) s -= c[l * n + j] * v[l * n + col];
            v[j * n + col] = s / c[j * n + j];
        }
    }
    for (int64_t j = 0; j < n; j++) {
        double s = 0;
        for (int64_t k = 0; k < n; k++) s += v[j * n + k] * (shift[k] + nu[k]);
        w->m[j] = s;
    }
    return 1;
}

/* moment matching on one dimension; returns the size of the proposed change in posterior standard deviations */
INLINE double visit(
    const EpTask *t, int64_t nb, int64_t i, int64_t d, double lowest, double damping, struct person *w) {
    const int64_t n = t->n_dims;
    const v8 *like = w->likelihood + d * nb, *nodes = (const v8 *)t->nodes;
    v8 *tilted = w->tilted + d * nb;
    double *tau = t->tau + i * n + d, *nu = t->nu + i * n + d;
    double variance = w->v[d * n + d], mean = w->m[d];
    double cavity = 1 / variance - *tau, middle = (mean / variance - *nu) / cavity;
    if (!(cavity * variance > 1e-9)) return HUGE_VAL;
    v8 s0 = {0}, s1 = {0}, s2 = {0};
    double half = -0.5 * cavity;
    for (int64_t b = 0; b < nb; b++) {
        v8 x = nodes[b] - middle, u = nodes[b] - mean, e = exp8(x * x * half) * like[b];
        tilted[b] = e;
        s0 += e;
        e *= u;
        s1 += e;
        s2 += e * u;
    }
    double z = total(s0), off = total(s1) / z, spread = total(s2) / z - off * off;
    if (!(z > 0) || !isfinite(spread)) return NAN;
    if (spread < NARROWEST * t->spacing * t->spacing) spread = NARROWEST * t->spacing * t->spacing;
    w->inverse_sum[d] = 1 / z;
    double tau_new = 1 / spread - cavity, nu_new = (mean + off) / spread - middle * cavity;
    if (tau_new < lowest) tau_new = lowest;
    double by_tau = tau_new - *tau, by_nu = nu_new - *nu;
    double change = fmax(fabs(by_tau) * spread, fabs(by_nu) * sqrt(spread));
    by_tau *= damping, by_nu *= damping;
    *tau += by_tau, *nu += by_nu;
    double grown = 1 + by_tau * variance, shrink = by_tau / grown, push = (by_nu - by_tau * mean) / grown;
    double *column = w->chol; /* free by now: serves as a copy of the column that moves everything */
    for (int64_t j = 0; j < n; j++) column[j] = w->v[j * n + d];
    for (int64_t j = 0; j < n; j++) {
        w->m[j] += push * column[j];
        for (int64_t k = 0; k < n; k++) w->v[j * n + k] -= shrink * column[j] * column[k];
    }
    w->log_det += log(grown);
    double precise = cavity + *tau, centre = (middle * cavity + *nu) / precise;
    w->part[d] = w->scale[d] + log(z * t->spacing * sqrt(precise / 6.283185307179586))
                 - 0.5 * (centre * centre * precise - middle * middle * cavity);
    return change;
}

/* sweep over the dimensions until no site moves; sites stay where they end, for a warm start of the next call */
INLINE int settle(const EpTask *t, int64_t nb, int64_t i, struct person *w) {
    const int64_t n = t->n_dims, p = t->population[i];
    double *tau = t->tau + i * n, *nu = t->nu + i * n, lowest = -HUGE_VAL, before = HUGE_VAL, damping = 1;
    int guarded = 0;
    if (!gather(t, tau, nu, p, w)) {
        memset(tau, 0, sizeof(double) * n), memset(nu, 0, sizeof(double) * n);
        if (!gather(t, tau, nu, p, w)) return FAILED;
    }
    for (int64_t sweep = 0; sweep < t->max_sweeps; sweep++) {
        double change = 0;
        for (int64_t d = 0; d < n; d++) {
            if (!t->answered[i * n + d]) continue;
            double moved = visit(t, nb, i, d, lowest, damping, w);
            if (isnan(moved)) return FAILED;
            if (moved > change) change = moved;
            if (moved == HUGE_VAL) break;
        }
        if (change == HUGE_VAL) { /* the other sites took away more than the population gives: hold them back */
            if (guarded) return FAILED;
            guarded = 1;
            lowest = t->floor[p];
            for (int64_t d = 0; d < n; d++)
                if (tau[d] < lowest) tau[d] = lowest;
            if (!gather(t, tau, nu, p, w)) return FAILED;
            continue;
        }
        if (change < t->tol) return guarded ? GUARDED : SETTLED;
        if (sweep > 2 && change > 0.7 * before && damping > 0.2) damping *= 0.5;
        before = change;
    }
    return UNSETTLED;
}

INLINE void add_person(const EpTask *t, int64_t nb, int64_t i, struct person *w) {
    const int64_t n = t->n_dims, p = t->population[i];
    const double *shift = t->shift + p * n, weight = t->weight[i];
    double fit = 0, parts = 0;
    for (int64_t d = 0; d < n; d++) {
        fit += (shift[d] + t->nu[i * n + d]) * w->m[d];
        t->first_moment[p * n + d] += weight * w->m[d];
        for (int64_t k = 0; k < n; k++)
            t->second_moment[(p * n + d) * n + k] += weight * (w->v[d * n + k] + w->m[d] * w->m[k]);
        if (!t->answered[i * n + d]) continue;
        parts += w->part[d];
        v8 *tilted = w->tilted + d * nb;
        double share = weight * w->inverse_sum[d];
        for (int64_t b = 0; b < nb; b++) tilted[b] *= share;
        for (int64_t g = t->dim_starts[d]; g < t->dim_starts[d + 1]; g++) {
            v8 *row = (v8 *)t->counts + (t->row_starts[g] + t->codes[i * t->n_groups + g]) * nb;
            for (int64_t b = 0; b < nb; b++) row[b] += tilted[b];
        }
    }
    t->evidence[i] = t->constant[p] - 0.5 * w->log_det + 0.5 * fit + parts;
}

INLINE void persons(const EpTask *t, int64_t nb, struct person *w) {
    const int64_t n = t->n_dims;
    for (int64_t i = t->first; i < t->last; i++) {
        int status = likelihoods(t, nb, i, w) ? settle(t, nb, i, w) : FAILED;
        t->status[i] = (uint8_t)status;
        if (status == FAILED) {
            memset(t->tau + i * n, 0, sizeof(double) * n), memset(t->nu + i * n, 0, sizeof(double) * n);
            t->evidence[i] = 0;
        } else
            add_person(t, nb, i, w);
    }
}

/* returns 0, or 1 if there is no memory for the working space */
DISPATCH int talentassess_ep(const EpTask *t) {
    const int64_t n = t->n_dims, nb = t->n_blocks, space = (2 * n * n + 4 * n + 7) / 8 + 2 * n * nb;
    v8 *memory = aligned_alloc(64, sizeof(v8) * space);
    if (!memory) return 1;
    struct person w = {.likelihood = memory, .tilted = memory + n * nb};
    w.v = (double *)(memory + 2 * n * nb), w.chol = w.v + n * n, w.m = w.chol + n * n;
    w.part = w.m + n, w.scale = w.part + n, w.inverse_sum = w.scale + n;
    if (nb == 8) /* the usual grid: loops of known length stay in registers */
        persons(t, 8, &w);
    else
        persons(t, nb, &w);
    free(memory);
    return 0;
}
