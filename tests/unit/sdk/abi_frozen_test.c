/* The layout of the ABI, as C sees it, is the frozen one. Usage: abi_frozen_test frozen-1.txt */
#include <stdio.h>
#include <string.h>

#include "frozen_table.h"

static int check_file(const char* path) {
  FILE* file = fopen(path, "r");
  if (file == NULL) {
    fprintf(stderr, "%s: can't be read\n", path);
    return 1;
  }
  int faults = 0;
  size_t at = 0;
  char name[128];
  size_t number = 0;
  for (; fscanf(file, "%127s %zu", name, &number) == 2; ++at) {
    if (at >= frozen_line_count) {
      fprintf(stderr, "%s is frozen, but gone\n", name);
      ++faults;
    } else if (strcmp(name, frozen_lines[at].name) != 0 || number != frozen_lines[at].number) {
      fprintf(stderr, "frozen: %s %zu, found: %s %zu\n", name, number, frozen_lines[at].name, frozen_lines[at].number);
      ++faults;
    }
  }
  fclose(file);
  if (at < frozen_line_count) {
    fprintf(stderr, "%s is not in %s: print it anew\n", frozen_lines[at].name, path);
    ++faults;
  }
  return faults;
}

/* Members follow each other and fill their struct, so none is missing from the table. A union has one for each name. */
static int check_gaps(void) {
  int faults = 0;
  size_t size = 0;
  size_t begin = 0;
  size_t end = 0;
  for (size_t i = 0; i <= frozen_line_count; ++i) {
    const frozen_line* line = i < frozen_line_count ? &frozen_lines[i] : NULL;
    if (line == NULL || line->width == 0) {
      if (size - end >= 8) {
        fprintf(stderr, "a struct before line %zu has a member that the table doesn't list\n", i + 1);
        ++faults;
      }
      if (line == NULL) break;
      size = line->number;
      end = 0;
      continue;
    }
    const int other_name = end != 0 && line->number == begin && line->number + line->width == end;
    if (other_name) continue;
    if (line->number < end || line->number - end >= 8) {
      fprintf(stderr, "%s does not follow the member before it\n", line->name);
      ++faults;
    }
    begin = line->number;
    end = begin + line->width;
  }
  return faults;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  return check_file(argv[1]) + check_gaps() == 0 ? 0 : 1;
}
