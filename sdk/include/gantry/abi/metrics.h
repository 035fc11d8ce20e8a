/* Gantry plugin ABI: "gantry.metrics/1", exposed as Prometheus text. */
#ifndef GANTRY_ABI_METRICS_H
#define GANTRY_ABI_METRICS_H

#include "gantry/abi/host.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_METRICS_1 "gantry.metrics/1"

/* A series. Owned by the host, valid as long as the instance. */
typedef struct gantry_metric gantry_metric;

enum { GANTRY_COUNTER = 0, GANTRY_GAUGE = 1, GANTRY_HISTOGRAM = 2 };

typedef struct gantry_metrics_1 {
  uint32_t struct_size;

  /* The series of this name and these labels, made on first use. The name follows Prometheus'
   * rules and is exposed with the prefix "plugin_<id>_". NULL: bad name, or another type has it.
   * Histograms count in buckets of seconds from 100 us to 10 s. [any] */
  gantry_metric *(*series)(const gantry_host *host, int32_t type, gantry_str name, gantry_str help,
                           const gantry_field *labels, size_t label_count);

  /* Counter: adds (negative is ignored). Gauge: sets. Histogram: observes. Accepts NULL. [any] */
  void (*record)(gantry_metric *metric, double value);
} gantry_metrics_1;

#ifdef __cplusplus
}
#endif
#endif
