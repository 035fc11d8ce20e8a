/* Gantry plugin ABI: "gantry.log/1". */
#ifndef GANTRY_ABI_LOG_H
#define GANTRY_ABI_LOG_H

#include "gantry/abi/host.h"
#include "gantry/abi/threads.h"
#include "gantry/abi/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GANTRY_LOG_1 "gantry.log/1"

enum {
  GANTRY_LOG_DEBUG = 0,
  GANTRY_LOG_INFO = 1,
  GANTRY_LOG_WARN = 2,
  GANTRY_LOG_ERROR = 3 /* a person must act */
};

typedef struct gantry_log_1 {
  uint32_t struct_size;

  /* Non-zero if a line of this level would be written. [any] */
  int32_t (*enabled)(const gantry_host *host, int32_t level);

  /* Writes a sentence and its fields; plugin, generation and the correlation id of the work in progress are
   * added. Never blocks for long; never fails. [any] */
  void (*write)(const gantry_host *host, int32_t level, gantry_str text, const gantry_field *fields,
                size_t field_count);
} gantry_log_1;

#ifdef __cplusplus
}
#endif
#endif
