# gantry_add_plugin(<id> VERSION <semver> SOURCES <file>...
#                   [MIGRATIONS <dir>] [LIBS <lib>...] [OUTPUT_DIRECTORY <dir>] [TARGET <name>])
#
# Builds a plugin: target <id>, file <id>.so in OUTPUT_DIRECTORY (default ${GANTRY_PLUGIN_DIR}, default
# ${CMAKE_BINARY_DIR}/plugins). Exports one symbol, carries its manifest in the section .gantry.manifest, and has a
# conformance test "<id>.plugin". TARGET names the target and that test otherwise, so that one build can have two versions
# of a plugin; their folders differ then.
#
# MIGRATIONS names a folder with NNNN_name.sql, NNNN_name.sqlite.sql and NNNN_name.postgres.sql; they are embedded with
# their SHA-256. The object library <id>_migrations holds them, for unit tests that link it.
include_guard(GLOBAL)
set(GANTRY_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR} CACHE INTERNAL "")

function(gantry_add_plugin id)
  cmake_parse_arguments(PARSE_ARGV 1 P "" "VERSION;MIGRATIONS;OUTPUT_DIRECTORY;TARGET" "SOURCES;LIBS")
  if(NOT P_VERSION OR NOT P_SOURCES)
    message(FATAL_ERROR "gantry_add_plugin(${id}): VERSION and SOURCES are needed")
  endif()
  if(P_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "gantry_add_plugin(${id}): unknown arguments: ${P_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT id MATCHES "^[a-z][a-z0-9-]*$")
    message(FATAL_ERROR "gantry_add_plugin(${id}): an id is lower case, digits and '-', and begins with a letter")
  endif()
  if(NOT P_OUTPUT_DIRECTORY)
    if(GANTRY_PLUGIN_DIR)
      set(P_OUTPUT_DIRECTORY ${GANTRY_PLUGIN_DIR})
    else()
      set(P_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/plugins)
    endif()
  endif()

  set(target ${id})
  if(P_TARGET)
    set(target ${P_TARGET})
  endif()
  add_library(${target} MODULE ${P_SOURCES})
  if(P_MIGRATIONS)
    gantry_embed_migrations(${target}_migrations ${P_MIGRATIONS})
    target_link_libraries(${target} PRIVATE ${target}_migrations)
  endif()
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${id}
    PREFIX "" SUFFIX ".so"
    LIBRARY_OUTPUT_DIRECTORY ${P_OUTPUT_DIRECTORY}
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LINK_DEPENDS ${GANTRY_CMAKE_DIR}/plugin.map)
  target_compile_features(${target} PRIVATE cxx_std_20 c_std_11)
  target_compile_definitions(${target} PRIVATE GANTRY_PLUGIN_ID="${id}" GANTRY_PLUGIN_VERSION="${P_VERSION}")
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  # Libraries linked in are hidden too; a sanitizer's runtime is resolved from the program.
  target_link_options(${target} PRIVATE -Wl,--version-script=${GANTRY_CMAKE_DIR}/plugin.map -Wl,--exclude-libs,ALL
                                    -Wl,--build-id=sha1)
  if(NOT GANTRY_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  target_link_libraries(${target} PRIVATE gantry::sdk ${P_LIBS})
  if(TARGET gantry_warnings)
    target_link_libraries(${target} PRIVATE gantry_warnings)
  endif()

  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND gantry::manifest --write ${CMAKE_CURRENT_BINARY_DIR}/${target}.manifest.json $<TARGET_FILE:${target}>
    COMMAND ${CMAKE_OBJCOPY} --add-section .gantry.manifest=${CMAKE_CURRENT_BINARY_DIR}/${target}.manifest.json
            --set-section-flags .gantry.manifest=noload,readonly $<TARGET_FILE:${target}>
    VERBATIM)
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT GANTRY_SANITIZE)
    # A host reads, checks and copies the whole file at every load: debug information goes beside it, where debuggers
    # find it by the link.
    add_custom_command(TARGET ${target} POST_BUILD
      COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE:${target}> $<TARGET_FILE:${target}>.debug
      COMMAND ${CMAKE_OBJCOPY} --strip-debug --add-gnu-debuglink=$<TARGET_FILE:${target}>.debug $<TARGET_FILE:${target}>
      VERBATIM)
  endif()
  if(TARGET gantry_manifest)
    add_dependencies(${target} gantry_manifest)
  endif()
  add_test(NAME ${target}.plugin COMMAND gantry::manifest --check $<TARGET_FILE:${target}>)
endfunction()

# gantry_embed_migrations(<target> <dir>): an object library with the migrations of a folder. gantry_add_plugin calls it.
function(gantry_embed_migrations target dir)
  get_filename_component(dir ${dir} ABSOLUTE)
  file(GLOB files CONFIGURE_DEPENDS ${dir}/*.sql)
  if(NOT files)
    message(FATAL_ERROR "${target}: no *.sql in ${dir}")
  endif()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target}.cpp)
  # Written only when the list has changed: a file that is deleted or renamed makes no other one newer.
  file(CONFIGURE OUTPUT ${out}.list CONTENT "${files}\n" @ONLY)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -D DIR=${dir} -D OUT=${out} -P ${GANTRY_CMAKE_DIR}/EmbedMigrations.cmake
    DEPENDS ${files} ${out}.list ${GANTRY_CMAKE_DIR}/EmbedMigrations.cmake
    COMMENT "Embedding migrations of ${dir}"
    VERBATIM)
  add_library(${target} OBJECT ${out})
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
  target_link_libraries(${target} PRIVATE gantry::sdk)
endfunction()
