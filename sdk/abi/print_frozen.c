/* Prints the table of sizes and offsets that frozen-<major>.txt holds. */
#include <stdio.h>

#include "frozen_table.h"

int main(void) {
  for (size_t i = 0; i < frozen_line_count; ++i) printf("%s %zu\n", frozen_lines[i].name, frozen_lines[i].number);
  return 0;
}
