# The installed SDK is enough: examples build against it alone, and their tests pass.
# Arguments: BUILD (of Gantry), WORK (a scratch folder), EXAMPLES, C_COMPILER, CXX_COMPILER, TYPE.
file(REMOVE_RECURSE ${WORK})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${WORK}/prefix
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
foreach(example hello_c loyalty)
  # A copy, so that nothing of the source tree is in reach.
  file(COPY ${EXAMPLES}/${example} DESTINATION ${WORK}/source)
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${WORK}/source/${example} -B ${WORK}/${example} -G Ninja
                          -D CMAKE_PREFIX_PATH=${WORK}/prefix -D CMAKE_BUILD_TYPE=${TYPE}
                          -D CMAKE_C_COMPILER=${C_COMPILER} -D CMAKE_CXX_COMPILER=${CXX_COMPILER}
                  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK}/${example} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/${example} --output-on-failure --no-tests=error
                  COMMAND_ERROR_IS_FATAL ANY)
endforeach()
