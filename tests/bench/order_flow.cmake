# PostgreSQL's client of the bare measurements; the driver keeps its own to itself.
find_package(PkgConfig REQUIRED)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)
find_package(SQLite3 REQUIRED)
add_executable(order_flow ${CMAKE_CURRENT_LIST_DIR}/order_flow.cpp
  ${CMAKE_CURRENT_LIST_DIR}/order_flow_figures.cpp ${CMAKE_CURRENT_LIST_DIR}/order_flow_servers.cpp)
target_link_libraries(order_flow PRIVATE gantry_host_app PkgConfig::RDKAFKA PkgConfig::LIBPQ SQLite::SQLite3 gantry_warnings)
target_compile_definitions(order_flow PRIVATE GANTRY_PLUGIN_DIR="${GANTRY_PLUGIN_DIR}")
