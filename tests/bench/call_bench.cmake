add_executable(call_bench ${CMAKE_CURRENT_LIST_DIR}/call_bench.cpp)
target_link_libraries(call_bench PRIVATE gantry_host_runtime gantry_warnings)
