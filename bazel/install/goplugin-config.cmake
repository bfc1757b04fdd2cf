# Targets, as their Bazel namesakes:
#
#   goplugin::goplugin           hosting plugins
#   goplugin::server             being a plugin
#   goplugin::server_reflection  server reflection, for all servers of the program
#   goplugin::testing            testing hosts; with GoogleMock only
#   goplugin::scripted_plugin    the program behind testing::ScriptedPlugin
#
# gRPC and the others come from pkg-config: it knows them on every distribution,
# under the same names.
if(TARGET goplugin::goplugin)
  return()
endif()

include(CMakeFindDependencyMacro)
find_dependency(PkgConfig)
find_dependency(Threads)

# A function, for its variables not to be the project's.
function(_goplugin_targets prefix)
  set(headers "${prefix}/include")

  add_library(goplugin::goplugin STATIC IMPORTED)
  set_target_properties(goplugin::goplugin PROPERTIES
    IMPORTED_LOCATION "${prefix}/lib/libgoplugin.a"
    INTERFACE_COMPILE_FEATURES cxx_std_17
    INTERFACE_INCLUDE_DIRECTORIES "${headers}"
    INTERFACE_LINK_LIBRARIES "PkgConfig::goplugin_packages;Threads::Threads"
    # A shared library that has it in it is never unloaded: gRPC's threads outlive
    # every client, and may be in its code.
    INTERFACE_LINK_OPTIONS LINKER:-z,nodelete)

  # The same archive: what is not used is not linked.
  add_library(goplugin::server INTERFACE IMPORTED)
  set_target_properties(goplugin::server PROPERTIES
    INTERFACE_LINK_LIBRARIES goplugin::goplugin)

  add_library(goplugin::server_reflection STATIC IMPORTED)
  set_target_properties(goplugin::server_reflection PROPERTIES
    IMPORTED_LOCATION "${prefix}/lib/libgoplugin_server_reflection.a"
    INTERFACE_LINK_LIBRARIES "goplugin::goplugin;grpc++_reflection")

  if(goplugin_testing_packages_FOUND)
    add_library(goplugin::testing STATIC IMPORTED)
    set_target_properties(goplugin::testing PROPERTIES
      IMPORTED_LOCATION "${prefix}/lib/libgoplugin_testing.a"
      INTERFACE_LINK_LIBRARIES
        "goplugin::goplugin;PkgConfig::goplugin_testing_packages")
    add_executable(goplugin::scripted_plugin IMPORTED)
    set_target_properties(goplugin::scripted_plugin PROPERTIES
      IMPORTED_LOCATION "${prefix}/libexec/goplugin/scripted_plugin")
  endif()
endfunction()

pkg_check_modules(goplugin_packages QUIET IMPORTED_TARGET
  @goplugin_packages@)
pkg_check_modules(goplugin_testing_packages QUIET IMPORTED_TARGET
  @goplugin_testing_packages@)

if(goplugin_packages_FOUND)
  get_filename_component(_goplugin_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  _goplugin_targets("${_goplugin_prefix}")
  unset(_goplugin_prefix)
else()
  set(goplugin_FOUND FALSE)
  set(goplugin_NOT_FOUND_MESSAGE
    "pkg-config does not know all of: @goplugin_packages@")
endif()

foreach(_goplugin_component IN LISTS goplugin_FIND_COMPONENTS)
  if(TARGET goplugin::${_goplugin_component})
    set(goplugin_${_goplugin_component}_FOUND TRUE)
  elseif(goplugin_FIND_REQUIRED_${_goplugin_component})
    set(goplugin_FOUND FALSE)
    string(APPEND goplugin_NOT_FOUND_MESSAGE
      " No goplugin::${_goplugin_component}: goplugin::testing needs @goplugin_testing_packages@.")
  endif()
endforeach()
unset(_goplugin_component)
