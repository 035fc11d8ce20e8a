# Each header of the ABI compiles alone and without a warning. Arguments: DIR (sdk/include), COMPILER, LANGUAGE (c, c++),
# STANDARD.
# WORK: a scratch folder.
file(GLOB headers RELATIVE ${DIR} ${DIR}/gantry/abi/*.h)
foreach(header IN LISTS headers)
  # C forbids an empty translation unit, and a header that only defines macros makes one.
  file(WRITE ${WORK}/alone.txt "#include \"${header}\"\n#include \"${header}\"\nextern int not_empty;\n")
  execute_process(
    COMMAND ${COMPILER} -x ${LANGUAGE} -std=${STANDARD} -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I ${DIR}
            ${WORK}/alone.txt
    RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(SEND_ERROR "${header} as ${STANDARD} with ${COMPILER}:\n${errors}")
  endif()
endforeach()
