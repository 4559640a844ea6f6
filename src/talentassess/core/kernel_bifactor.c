/* One pass over the persons of a form with testlets: pairs of nodes (general, specific), two dimensions at a time.
 *
 * Groups of neighbouring items of one testlet have joint probability tables as in kernel.c. Given a general node the
 * testlets are independent: each contributes its sum over the specific nodes, and their product is the likelihood at
 * that general node. Specific nodes come in blocks of eight. Threads are the caller's business.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define LANES 8
#define MOST_GROUPS 256 /* of items within one testlet: the caller splits longer ones, or uses NumPy */
#define NEGLIGIBLE 1e-15 /* posterior weight of a general node whose counts are not worth adding */
#define VANISHED 1e-250
#define PERSONS 512         /* at a time */

typedef double vec __attribute__((vector_size(8 * LANES), aligned(8 * LANES)));

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define DISPATCH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DISPATCH
#endif
#define INLINE static inline __attribute__((always_inline))

typedef struct {
  int64_t n;                  /* persons */
  int64_t groups;             /* of items, over all parts */
  int64_t parts;              /* testlets, and shares of the items without one */
  int64_t general;            /* general nodes */
  int64_t blocks;             /* of eight specific nodes */
  const uint16_t *codes;      /* (n, groups) row within the group's table */
  const int32_t *offset;      /* (groups + 1) first row of each group's table */
  const int32_t *first_group; /* (parts + 1) first group of each part */
  const double *table;        /* (rows, general * 8 * blocks) joint probabilities */
  const double *prior;        /* (P, general) weights of the general nodes */
  const double *specific;     /* (8 * blocks) weights of the specific nodes */
  const int32_t *row;         /* (n) which prior, or NULL: the first */
  const double *weight;       /* (n) or NULL: one */
  double *counts;             /* (rows, general * 8 * blocks) out, added to */
  double *mass;               /* (P, general) out, added to */
  uint8_t *failed;            /* (n) out: 1 where the products vanish and the caller must use logarithms */
  double loglik;              /* out: weighted, without the failed */
} ReducedPass;

INLINE double sum_lanes(const vec *a) {
  double s = 0;
  for (int k = 0; k < LANES; k++) s += (*a)[k];
  return s;
}

/* What one part makes of one person: table rows at their general nodes, rows of counts. */
INLINE void find_rows(const ReducedPass *p, int64_t person, int64_t part, const double *base, const vec **rows) {
  const int64_t g0 = p->first_group[part], n = p->first_group[part + 1] - g0, pairs = p->general * p->blocks;
  const uint16_t *code = p->codes + person * p->groups + g0;
  for (int64_t g = 0; g < n; g++) rows[g] = (const vec *)base + (int64_t)(p->offset[g0 + g] + code[g]) * pairs;
}

/* Sums over the specific nodes at each general node; return the largest. */
INLINE double sum_part(const ReducedPass *p, const vec *const *t, int64_t n, double *level, const int64_t blocks) {
  const vec *specific = (const vec *)p->specific;
  double largest = 0;
  for (int64_t q = 0; q < p->general; q++) {
    vec total = {0};
    for (int64_t b = 0; b < blocks; b++) {
      vec a = specific[b];
      for (int64_t g = 0; g < n; g++) a *= t[g][q * blocks + b];
      total += a;
    }
    level[q] = sum_lanes(&total);
    if (level[q] > largest) largest = level[q];
  }
  return largest;
}

/* Add the posterior weights of the pairs to the counts. The products are formed again: that is cheaper than keeping
 * them, and most general nodes weigh nothing. */
INLINE void add_part(const ReducedPass *p, const vec *const *t, const vec *const *to, int64_t n, const double *weight,
                     const int64_t blocks) {
  const vec *specific = (const vec *)p->specific;
  for (int64_t q = 0; q < p->general; q++) {
    if (weight[q] == 0) continue;
    for (int64_t b = 0; b < blocks; b++) {
      vec a = specific[b] * weight[q];
      for (int64_t g = 0; g < n; g++) a *= t[g][q * blocks + b];
      for (int64_t g = 0; g < n; g++) ((vec *)to[g])[q * blocks + b] += a;
    }
  }
}

/* Turn the sums of all parts (parts, general) into weights: posterior of the general node over the part's own sum. */
INLINE void weigh(ReducedPass *p, int64_t person, const double *largest, double *level, double *posterior) {
  const int64_t row = p->row ? p->row[person] : 0, width = p->general;
  const double *prior = p->prior + row * width, weight = p->weight ? p->weight[person] : 1;
  double scale = 0, product = 1, sum = 0, least = 1;
  for (int64_t q = 0; q < width; q++) posterior[q] = prior[q];
  for (int64_t f = 0; f < p->parts; f++) {
    if (largest[f] < least) least = largest[f];
    const double r = 1 / largest[f];
    for (int64_t q = 0; q < width; q++) posterior[q] *= level[f * width + q] * r;
    product *= largest[f];
    if (product < 1e-50) scale += log(product), product = 1;
  }
  for (int64_t q = 0; q < width; q++) sum += posterior[q];
  p->failed[person] = !(least > VANISHED) || !(sum > VANISHED);
  if (p->failed[person]) {
    for (int64_t k = 0; k < p->parts * width; k++) level[k] = 0;
    return;
  }
  p->loglik += weight * (scale + log(product * sum));
  for (int64_t q = 0; q < width; q++) {
    const double share = posterior[q] / sum;
    p->mass[row * width + q] += weight * share;
    for (int64_t f = 0; f < p->parts; f++)
      level[f * width + q] = share < NEGLIGIBLE ? 0 : weight * share / level[f * width + q];
  }
}

/* Part by part over many persons, so that a part's tables and counts stay in the second-level cache. */
INLINE void run(ReducedPass *p, double *room, const int64_t blocks) {
  const int64_t width = p->general, own = p->parts * width;
  double *largest = room + PERSONS * own, *posterior = largest + PERSONS * p->parts;
  const vec *t[MOST_GROUPS], *to[MOST_GROUPS];
  p->loglik = 0;
  for (int64_t from = 0; from < p->n; from += PERSONS) {
    const int64_t n = from + PERSONS < p->n ? PERSONS : p->n - from;
    for (int64_t f = 0; f < p->parts; f++)
      for (int64_t i = 0; i < n; i++) {
        find_rows(p, from + i, f, p->table, t);
        largest[i * p->parts + f] =
            sum_part(p, t, p->first_group[f + 1] - p->first_group[f], room + i * own + f * width, blocks);
      }
    for (int64_t i = 0; i < n; i++) weigh(p, from + i, largest + i * p->parts, room + i * own, posterior);
    for (int64_t f = 0; f < p->parts; f++)
      for (int64_t i = 0; i < n; i++) {
        if (p->failed[from + i]) continue;
        find_rows(p, from + i, f, p->table, t);
        find_rows(p, from + i, f, p->counts, to);
        add_part(p, t, to, p->first_group[f + 1] - p->first_group[f], room + i * own + f * width, blocks);
      }
  }
}

/* Return 0, or 1 if there was no memory. */
DISPATCH int talentassess_reduced_pass(ReducedPass *p) {
  double *room = malloc(sizeof(double) * (PERSONS * p->parts * (p->general + 1) + p->general));
  if (!room) return 1;
  switch (p->blocks) {
    case 2: run(p, room, 2); break;
    case 3: run(p, room, 3); break;
    default: run(p, room, p->blocks);
  }
  free(room);
  return 0;
}
