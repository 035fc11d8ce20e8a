# Writes OUT, a C++ source with the migrations of the folder DIR, in the order of their numbers.
cmake_minimum_required(VERSION 3.25)
file(GLOB files ${DIR}/*.sql)
list(SORT files)
set(entries "")
set(last 0)
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME)
  if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_([a-z0-9_]+)(\\.(sqlite|postgres))?\\.sql$")
    message(FATAL_ERROR "${file}: expected NNNN_name.sql, NNNN_name.sqlite.sql or NNNN_name.postgres.sql")
  endif()
  set(digits ${CMAKE_MATCH_1})
  set(title ${CMAKE_MATCH_2})
  set(driver "${CMAKE_MATCH_4}")
  math(EXPR next "${last} + 1")
  string(REGEX REPLACE "^0+" "" number ${digits})
  if(NOT number STREQUAL last AND NOT number STREQUAL next)
    message(FATAL_ERROR "${file}: expected number ${next}: numbers grow from 1 without gaps")
  endif()
  set(last ${number})
  file(SHA256 ${file} sha256)
  file(READ ${file} sql)
  if(sql MATCHES "\r" OR sql MATCHES "\\)gantry_sql\"")
    message(FATAL_ERROR "${file}: line ends must be \\n")
  endif()
  string(APPEND entries
    "    {sizeof(gantry_migration), ${number}, text(\"${title}\"), text(\"${driver}\"), text(R\"gantry_sql(${sql})gantry_sql\"), text(\"${sha256}\")},\n")
endforeach()
file(WRITE ${OUT}
"// Written by gantry_add_plugin.
#include \"gantry/abi/store.h\"

namespace {
template <size_t N>
constexpr gantry_str text(const char (&literal)[N]) {
  return {literal, N - 1};
}
constexpr gantry_migration all[] = {
${entries}};
}  // namespace

extern \"C\" __attribute__((visibility(\"hidden\"))) const gantry_migration* gantry_embedded_migrations(size_t* count) {
  *count = sizeof all / sizeof all[0];
  return all;
}
")
