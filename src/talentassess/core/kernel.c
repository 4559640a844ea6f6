/* One pass over the persons of a one-dimensional form: posterior weights at the nodes, expected counts, moments.
 *
 * Neighbouring items are grouped so that one table row holds the product of their category probabilities at all nodes;
 * a person is then one row per group, multiplied. Nodes come in blocks of eight. Most posteriors are narrow, so a
 * person's window (first block, number of blocks) is remembered from pass to pass, at first guessed from that of persons
 * with like answers, and given up where the posterior reaches its edge. Threads are the caller's business: a pass touches nothing but its own record.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
#define PERSONS 64      /* at a time: their posteriors stay in the first-level cache */
#define CHECK_EVERY 10  /* groups between looks at underflow */
#define MOST_BLOCKS 128 /* of eight nodes */
#define UNKNOWN 0
#define BINS 256        /* of persons whose posteriors are likely to lie alike */

typedef double vec __attribute__((vector_size(8 * LANES), aligned(8 * LANES)));

#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define DISPATCH __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define DISPATCH
#endif
#define INLINE static inline __attribute__((always_inline))

typedef struct {
  int64_t n;             /* persons */
  int64_t groups;        /* of items */
  int64_t blocks;        /* of eight nodes */
  const uint16_t *codes; /* (n, groups) row within the group's table */
  const int32_t *offset; /* (groups + 1) first row of each group's table */
  const double *table;   /* (rows, 8 * blocks) joint probabilities */
  const double *prior;   /* (P, 8 * blocks) weights of the nodes */
  const int32_t *row;    /* (n) which prior, or NULL: the first */
  const double *weight;  /* (n) or NULL: one */
  const double *nodes;   /* (8 * blocks) */
  double *counts;        /* (rows, 8 * blocks) out, added to, or NULL */
  double *mass;          /* (P, 8 * blocks) out, added to, or NULL */
  double *mean;          /* (n) out, or NULL */
  double *second;        /* (n) out: E[theta^2]; with mean */
  double *log_marginal;  /* (n) out, or NULL */
  uint8_t *window;       /* (n) in and out: first block + 16 * number of blocks, or UNKNOWN; NULL: not remembered */
  double edge;           /* share of the posterior at a window's edge above which it is given up */
  uint8_t *failed;       /* (n) out: 1 where the products vanish and the caller must use logarithms */
  double loglik;         /* out: weighted, without the failed */
} Pass;

typedef struct {
  int64_t person, first, width;
  double scale; /* log of what was divided out */
  vec *posterior;
} Seat;

/* Windows by what the answers say for a high node against a low one: in the 2PL all they say about theta. */
typedef struct {
  double *lean; /* (rows) log ratio of a row's probabilities at the two nodes; NULL: no guesses */
  double low, scale;
  uint8_t window[BINS];
} Guess;

INLINE double sum_lanes(const vec *a) {
  double s = 0;
  for (int k = 0; k < LANES; k++) s += (*a)[k];
  return s;
}

/* Multiply the person's table rows over `width` blocks; return the total, 0 if it vanished. */
INLINE double multiply(const Pass *p, Seat *s, const int width) {
  const uint16_t *code = p->codes + s->person * p->groups;
  const vec *prior = (const vec *)p->prior + (p->row ? p->row[s->person] : 0) * p->blocks + s->first;
  const vec *table = (const vec *)p->table + s->first;
  vec v[8], total;
  s->scale = 0;
  for (int b = 0; b < width; b++) v[b] = prior[b];
  for (int64_t g = 0; g < p->groups;) {
    const int64_t stop = g + CHECK_EVERY < p->groups ? g + CHECK_EVERY : p->groups;
    for (; g < stop; g++) {
      const vec *t = table + (int64_t)(p->offset[g] + code[g]) * p->blocks;
      for (int b = 0; b < width; b++) v[b] *= t[b];
    }
    if (g == p->groups) break;
    total = v[0];
    for (int b = 1; b < width; b++) total += v[b];
    const double sum = sum_lanes(&total);
    if (sum < 1e-60) {
      if (!(sum > 1e-250)) return 0;
      s->scale += log(sum);
      const double r = 1 / sum;
      for (int b = 0; b < width; b++) v[b] *= r;
    }
  }
  total = v[0];
  for (int b = 1; b < width; b++) total += v[b];
  for (int b = 0; b < width; b++) s->posterior[b] = v[b];
  return sum_lanes(&total);
}

/* The same over any number of blocks, in memory instead of registers. */
INLINE double multiply_wide(const Pass *p, Seat *s) {
  const uint16_t *code = p->codes + s->person * p->groups;
  const vec *prior = (const vec *)p->prior + (p->row ? p->row[s->person] : 0) * p->blocks;
  vec *v = s->posterior;
  double sum = 0;
  s->scale = 0;
  for (int64_t b = 0; b < p->blocks; b++) v[b] = prior[b];
  for (int64_t g = 0; g < p->groups; g++) {
    const vec *t = (const vec *)p->table + (int64_t)(p->offset[g] + code[g]) * p->blocks;
    for (int64_t b = 0; b < p->blocks; b++) v[b] *= t[b];
    if (g % CHECK_EVERY != CHECK_EVERY - 1 && g != p->groups - 1) continue;
    vec total = v[0];
    for (int64_t b = 1; b < p->blocks; b++) total += v[b];
    sum = sum_lanes(&total);
    if (sum < 1e-60 && g != p->groups - 1) {
      if (!(sum > 1e-250)) return 0;
      s->scale += log(sum);
      const double r = 1 / sum;
      for (int64_t b = 0; b < p->blocks; b++) v[b] *= r;
    }
  }
  return sum;
}

INLINE double multiply_any(const Pass *p, Seat *s) {
  switch (s->width) {
    case 1: return multiply(p, s, 1);
    case 2: return multiply(p, s, 2);
    case 3: return multiply(p, s, 3);
    case 4: return multiply(p, s, 4);
    case 5: return multiply(p, s, 5);
    case 6: return multiply(p, s, 6);
    case 7: return multiply(p, s, 7);
    case 8: return multiply(p, s, 8);
    default: return multiply_wide(p, s);
  }
}

/* Find the fewest blocks outside of which the posterior weighs next to nothing, and whose edges it does not touch: a
 * steep posterior may, and every pass would then give the window up. v: the seat's posterior. */
INLINE uint8_t find_window(const Pass *p, const Seat *s, double total) {
  const vec *v = s->posterior;
  const double most = p->edge * total;
  int64_t first = 0, last = s->width - 1;
  double out = 0;
  for (; first < last && !(v[first + 1][0] > most); first++)
    if ((out += sum_lanes(&v[first])) >= .01 * most) break;
  for (out = 0; last > first && !(v[last - 1][LANES - 1] > most); last--)
    if ((out += sum_lanes(&v[last])) >= .01 * most) break;
  const int64_t width = last - first + 1;
  first += s->first;
  return width > 8 || first > 15 ? UNKNOWN : (uint8_t)(first + 16 * width);
}

/* The least window that holds both. */
INLINE uint8_t join_windows(uint8_t a, uint8_t b) {
  if (a == UNKNOWN || b == UNKNOWN) return a == UNKNOWN ? b : a;
  const int first = a % 16 < b % 16 ? a % 16 : b % 16;
  const int end_a = a % 16 + a / 16, end_b = b % 16 + b / 16, width = (end_a > end_b ? end_a : end_b) - first;
  return width > 8 ? UNKNOWN : (uint8_t)(first + 16 * width);
}

INLINE void prepare_guesses(const Pass *p, Guess *guess, double *room) {
  double low = 0, high = 0;
  memset(guess->window, UNKNOWN, BINS);
  guess->lean = room;
  for (int64_t g = 0; g < p->groups && room; g++) {
    double least = INFINITY, most = -INFINITY;
    for (int64_t r = p->offset[g]; r < p->offset[g + 1]; r++) {
      const double *row = p->table + r * LANES * p->blocks;
      const double lean = log(fmax(row[5 * p->blocks], 1e-300)) - log(fmax(row[3 * p->blocks], 1e-300));
      room[r] = lean, least = fmin(least, lean), most = fmax(most, lean);
    }
    low += least, high += most;
  }
  guess->low = low;
  guess->scale = high > low ? (BINS - 1) / (high - low) : 0;
}

/* The place of the person's guess. */
INLINE uint8_t *guess_for(const Pass *p, Guess *guess, int64_t person) {
  const uint16_t *code = p->codes + person * p->groups;
  double even = -guess->low, odd = 0; /* two sums, so that additions need not wait for each other */
  int64_t g = 0;
  for (; g + 1 < p->groups; g += 2) {
    even += guess->lean[p->offset[g] + code[g]];
    odd += guess->lean[p->offset[g + 1] + code[g + 1]];
  }
  if (g < p->groups) even += guess->lean[p->offset[g] + code[g]];
  const int64_t bin = (int64_t)((even + odd) * guess->scale);
  return &guess->window[bin < 0 ? 0 : bin < BINS ? bin : BINS - 1];
}

/* Give the person a seat: posterior weights that sum to one, within the window if that is known and holds. */
INLINE double take_seat(const Pass *p, Seat *s, Guess *guess) {
  uint8_t known = p->window ? p->window[s->person] : UNKNOWN, *guessed = NULL;
  if (known == UNKNOWN && guess->lean) guessed = guess_for(p, guess, s->person), known = *guessed;
  if (known != UNKNOWN) {
    s->first = known % 16, s->width = known / 16;
    const double total = multiply_any(p, s), most = p->edge * total;
    const int64_t end = s->first + s->width;
    const int touched = (s->first > 0 && s->posterior[0][0] > most) ||
                        (end < p->blocks && s->posterior[s->width - 1][LANES - 1] > most);
    if (total > 0 && !touched) {
      if (guessed && p->window) p->window[s->person] = find_window(p, s, total);
      return total;
    }
  }
  s->first = 0, s->width = p->blocks;
  const double total = multiply_any(p, s);
  const uint8_t own = total > 0 ? find_window(p, s, total) : UNKNOWN;
  if (guessed) *guessed = join_windows(*guessed, own);
  if (p->window) p->window[s->person] = own;
  return total;
}

INLINE void moments(const Pass *p, const Seat *s) {
  const vec *x = (const vec *)p->nodes + s->first;
  vec m = {0}, m2 = {0};
  for (int64_t b = 0; b < s->width; b++) {
    const vec xv = x[b] * s->posterior[b];
    m += xv;
    m2 += x[b] * xv;
  }
  p->mean[s->person] = sum_lanes(&m);
  p->second[s->person] = sum_lanes(&m2);
}

INLINE void add_rows(const Pass *p, const Seat *s, int64_t n, const int width) {
  for (int64_t g = 0; g < p->groups; g++) {
    vec *counts = (vec *)p->counts + (int64_t)p->offset[g] * p->blocks;
    for (int64_t i = 0; i < n; i++) {
      vec *to = counts + (int64_t)p->codes[s[i].person * p->groups + g] * p->blocks + s[i].first;
      const vec *v = s[i].posterior;
      for (int64_t b = 0; b < (width ? width : s[i].width); b++) to[b] += v[b];
    }
  }
}

/* Seats come sorted by width, so that each run of equal width has its own unrolled loop. */
INLINE void add_counts(const Pass *p, const Seat *s, int64_t n) {
  for (int64_t a = 0, b; a < n; a = b) {
    for (b = a + 1; b < n && s[b].width == s[a].width;) b++;
    switch (s[a].width) {
      case 1: add_rows(p, s + a, b - a, 1); break;
      case 2: add_rows(p, s + a, b - a, 2); break;
      case 3: add_rows(p, s + a, b - a, 3); break;
      case 4: add_rows(p, s + a, b - a, 4); break;
      case 5: add_rows(p, s + a, b - a, 5); break;
      case 6: add_rows(p, s + a, b - a, 6); break;
      case 7: add_rows(p, s + a, b - a, 7); break;
      case 8: add_rows(p, s + a, b - a, 8); break;
      default: add_rows(p, s + a, b - a, 0);
    }
  }
}

/* Put the seats in the order of their widths. */
INLINE void sort_by_width(const Seat *seats, int64_t n, Seat *sorted) {
  int32_t at[MOST_BLOCKS + 2] = {0};
  for (int64_t i = 0; i < n; i++) at[seats[i].width + 1]++;
  for (int k = 1; k < MOST_BLOCKS + 2; k++) at[k] += at[k - 1];
  for (int64_t i = 0; i < n; i++) sorted[at[seats[i].width]++] = seats[i];
}

/* Return 0, or 1 if there was no memory. */
DISPATCH int talentassess_pass(Pass *record) {
  const Pass local = *record, *const p = &local; /* a local copy: nothing written below can change it */
  vec *room = aligned_alloc(sizeof(vec), sizeof(vec) * PERSONS * p->blocks);
  double *lean = p->blocks > 2 ? malloc(sizeof(double) * p->offset[p->groups]) : NULL; /* without it nothing is guessed */
  Seat seats[PERSONS], sorted[PERSONS];
  Guess guess;
  double loglik = 0;
  double product = 1;
  const int singly = p->weight || p->log_marginal; /* otherwise one logarithm serves many persons */
  if (!room) {
    free(lean);
    return 1;
  }
  prepare_guesses(p, &guess, lean);
  for (int64_t from = 0; from < p->n; from += PERSONS) {
    const int64_t to = from + PERSONS < p->n ? from + PERSONS : p->n;
    int64_t taken = 0;
    for (int64_t i = from; i < to; i++) {
      Seat *s = &seats[taken];
      s->person = i;
      s->posterior = room + (i - from) * p->blocks;
      const double total = take_seat(p, s, &guess), weight = p->weight ? p->weight[i] : 1;
      p->failed[i] = !(total > 1e-250);
      if (p->failed[i]) continue;
      taken++;
      if (singly) {
        const double log_total = s->scale + log(total);
        if (p->log_marginal) p->log_marginal[i] = log_total;
        loglik += weight * log_total;
      } else {
        loglik += s->scale;
        if (total < 1e-100 || product < 1e-200) loglik += log(product), product = 1;
        product *= total;
      }
      const double r = 1 / total;
      for (int64_t b = 0; b < s->width; b++) s->posterior[b] *= r;
      if (p->mean) moments(p, s);
      if (p->weight)
        for (int64_t b = 0; b < s->width; b++) s->posterior[b] *= weight;
      if (p->mass) {
        vec *mass = (vec *)p->mass + (p->row ? p->row[i] : 0) * p->blocks + s->first;
        for (int64_t b = 0; b < s->width; b++) mass[b] += s->posterior[b];
      }
    }
    if (!p->counts) continue;
    sort_by_width(seats, taken, sorted);
    add_counts(p, sorted, taken);
  }
  record->loglik = loglik + log(product);
  free(room);
  free(lean);
  return 0;
}

/* Joint probabilities of each group's items; a group's first item is the fastest digit.
 * prob: (S, 8 * blocks) one row per category; size: (J) table digits per item, categories plus one if answers are
 * missing (the last digit, probability one). */
DISPATCH void talentassess_tables(int64_t groups, int64_t blocks, const int32_t *first_item, const int32_t *n_cat,
                                  const int32_t *size, const int32_t *start, const double *prob, double *table) {
  const int64_t q = LANES * blocks;
  for (int64_t g = 0; g < groups; g++) {
    int64_t rows = 1;
    for (int64_t k = 0; k < q; k++) table[k] = 1;
    for (int32_t j = first_item[g]; j < first_item[g + 1]; j++) {
      for (int64_t c = size[j] - 1; c >= 0; c--) /* the first `rows` rows are read until the end, so c = 0 is last */
        for (int64_t r = 0; r < rows; r++) {
          const double *from = table + r * q;
          double *to = table + (c * rows + r) * q;
          if (c == n_cat[j]) {
            memcpy(to, from, sizeof(double) * q);
            continue;
          }
          const double *pr = prob + (int64_t)(start[j] + c) * q;
          for (int64_t k = 0; k < q; k++) to[k] = from[k] * pr[k];
        }
      rows *= size[j];
    }
    table += rows * q;
  }
}

/* The reverse: add the rows of each group's counts up to the categories of its items. rows of `folded` as of `prob`. */
DISPATCH void talentassess_fold(int64_t groups, int64_t blocks, const int32_t *first_item, const int32_t *n_cat,
                                const int32_t *size, const int32_t *start, double *counts, double *folded) {
  const int64_t q = LANES * blocks;
  for (int64_t g = 0; g < groups; g++) {
    int64_t rows = 1;
    for (int32_t j = first_item[g]; j < first_item[g + 1]; j++) rows *= size[j];
    const int64_t all = rows;
    for (int32_t j = first_item[g + 1] - 1; j >= first_item[g]; j--) { /* the last item's digit is the slowest */
      rows /= size[j];
      for (int64_t c = 0; c < size[j]; c++)
        for (int64_t r = 0; r < rows; r++) {
          const double *from = counts + (c * rows + r) * q;
          double *sum = counts + r * q, *to = folded + (int64_t)(start[j] + c) * q;
          if (c < n_cat[j])
            for (int64_t k = 0; k < q; k++) to[k] += from[k];
          if (c > 0)
            for (int64_t k = 0; k < q; k++) sum[k] += from[k];
        }
    }
    counts += all * q;
  }
}

/* The factor that gathers up to eight neighbouring digits, one byte each, into their row by one multiplication: digit k
 * times place k lands in the top byte, what belongs to later items beyond it. 0 where a byte could overflow, or where
 * the first digit would not be the lowest byte. */
static uint64_t gathering(int32_t items, const int32_t *place, const int32_t *n_cat) {
  uint64_t factor = 0;
  int64_t places = 0, most = 0;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  if (items > 8) return 0;
  for (int32_t k = 0; k < items; k++) {
    factor |= (uint64_t)(place[k] & 255) << (56 - 8 * k);
    places += place[k];
    if (n_cat[k] > most) most = n_cat[k];
  }
#endif
  return places * most < 256 ? factor : 0;
}

/* Turn answers (n, J; -1 missing) into rows of the groups' tables. The digit of a missing answer is the number of
 * categories. Return the number of persons done: fewer than n where an answer is missing for which a table has no room.
 * No row number exceeds 16 bits.
 * size: (J) digits per item; factor: (groups) room; digit: (64 * J + 8) room; closed, missing: (J) room. */
DISPATCH int64_t talentassess_pack_rows(int64_t n, int64_t items, int64_t groups, const int32_t *first_item,
                                   const int32_t *place, const int32_t *n_cat, const int32_t *size, const int16_t *x,
                                   uint64_t *restrict factor, uint8_t *restrict digit, int16_t *restrict closed,
                                   int16_t *restrict missing, uint16_t *codes) {
  for (int64_t g = 0; g < groups; g++)
    factor[g] = gathering(first_item[g + 1] - first_item[g], place + first_item[g], n_cat + first_item[g]);
  for (int64_t j = 0; j < items; j++) {
    missing[j] = (int16_t)(n_cat[j] + 1);
    closed[j] = size[j] > n_cat[j] ? 0 : -1;
  }
  memset(digit, 0, PERSONS * items + 8); /* the last groups' words reach beyond the last item */
  for (int64_t from = 0; from < n; from += PERSONS) { /* words are read long after the bytes are written: else they wait */
    const int64_t some = n - from < PERSONS ? n - from : PERSONS;
    int16_t unfit = 0;
    for (int64_t i = 0; i < some; i++) {
      const int16_t *row = x + (from + i) * items;
      uint8_t *to = digit + i * items;
      for (int64_t j = 0; j < items; j++) {
        const int16_t sign = (int16_t)(row[j] >> 15);
        unfit |= sign & closed[j];
        to[j] = (uint8_t)(row[j] + (sign & missing[j]));
      }
    }
    if (unfit) return from;
    for (int64_t i = 0; i < some; i++) {
      const int16_t *row = x + (from + i) * items;
      uint16_t *code = codes + (from + i) * groups;
      for (int64_t g = 0; g < groups; g++) {
        if (factor[g]) {
          uint64_t word;
          memcpy(&word, digit + i * items + first_item[g], 8);
          code[g] = (uint16_t)(word * factor[g] >> 56);
          continue;
        }
        int32_t sum = 0;
        for (int32_t j = first_item[g]; j < first_item[g + 1]; j++)
          sum += (row[j] < 0 ? n_cat[j] : row[j]) * place[j];
        code[g] = (uint16_t)sum;
      }
    }
  }
  return n;
}

/* Or all answers of each item together: negative where any is missing. signs: (J) out. */
DISPATCH void talentassess_signs(int64_t n, int64_t items, const int16_t *x, int16_t *signs) {
  memset(signs, 0, sizeof(int16_t) * items);
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < items; j++) signs[j] |= x[i * items + j];
}

/* Number of answers and sum of item scores (each 0..1) per person, and sums over persons per table row.
 * value: (rows, 3) answers, answers that count, scores of a row. With n answers that count and total T, u = 1 / (n - 1) if n > 1, the eight sums are
 * 1, [n > 1], u, uT, u^2, u^2 T, u^2 T^2, 0: the moments of an item with the mean of the others follow from them. */
DISPATCH void talentassess_survey(int64_t n, int64_t groups, const int32_t *offset, const uint16_t *codes,
                                  const double *value, int32_t *answered, double *sums) {
  for (int64_t i = 0; i < n; i++) {
    const uint16_t *code = codes + i * groups;
    double all = 0, count = 0, total = 0;
    for (int64_t g = 0; g < groups; g++) {
      const double *v = value + 3 * (int64_t)(offset[g] + code[g]);
      all += v[0];
      count += v[1];
      total += v[2];
    }
    answered[i] = (int32_t)all;
    const double some = count > 1, u = some ? 1 / (count - 1) : 0;
    const vec lanes = {1, some, u, u * total, u * u, u * u * total, u * u * total * total, 0};
    for (int64_t g = 0; g < groups; g++) ((vec *)sums)[offset[g] + code[g]] += lanes;
  }
}

/* How many bits every two of the rows (rows, words) have in common: common (rows, rows). */
DISPATCH void talentassess_common_bits(int64_t rows, int64_t words, const uint64_t *bits, double *common) {
  for (int64_t a = 0; a < rows; a++)
    for (int64_t b = a; b < rows; b++) {
      int64_t sum = 0;
      for (int64_t k = 0; k < words; k++) sum += __builtin_popcountll(bits[a * words + k] & bits[b * words + k]);
      common[a * rows + b] = common[b * rows + a] = (double)sum;
    }
}

/* Add every person's weight (one if NULL) to the table's place cell + code. */
void talentassess_tally(int64_t n, const int64_t *cell, const int16_t *code, const double *weight, double *table) {
  for (int64_t i = 0; i < n; i++) table[cell[i] + code[i]] += weight ? weight[i] : 1;
}

/* Which code runs on this machine: 2 AVX-512, 1 AVX2, 0 neither. */
int talentassess_isa(void) {
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") ? 2 : __builtin_cpu_supports("avx2") ? 1 : 0;
#else
  return 0;
#endif
}
