# cmake -D VERSION=… -D SOURCE=… -D HEADER=… -P build_info.cmake
# Writes HEADER with the version, the revision and the date of what is built; a header that says so
# already is left as it is, so that only a new commit compiles the two files that include it again.
# The date is SOURCE_DATE_EPOCH, else that of the commit: the same source gives the same program.

function(ask_git result)
  execute_process(COMMAND git -C ${SOURCE} ${ARGN} OUTPUT_VARIABLE said ERROR_QUIET
                  OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
  if(failed)
    set(said "")
  endif()
  set(${result} "${said}" PARENT_SCOPE)
endfunction()

set(revision "")
set(seconds "$ENV{SOURCE_DATE_EPOCH}")
if(EXISTS ${SOURCE}/.git)
  ask_git(revision describe --tags --always --dirty --abbrev=12)
  if(seconds STREQUAL "")
    ask_git(seconds log -1 --format=%ct)
  endif()
endif()
if(revision STREQUAL "")
  set(revision "unreleased")
endif()
set(date "")
if(NOT seconds STREQUAL "")
  set(ENV{SOURCE_DATE_EPOCH} "${seconds}")
  string(TIMESTAMP date "%Y-%m-%dT%H:%M:%SZ" UTC)
endif()

file(CONFIGURE OUTPUT ${HEADER} @ONLY CONTENT [[#pragma once
// Made by cmake/build_info.cmake.
#define LEASEHOLD_VERSION "@VERSION@"
#define LEASEHOLD_REVISION "@revision@"
#define LEASEHOLD_BUILD_DATE "@date@"  // "" when nobody knows
]])
