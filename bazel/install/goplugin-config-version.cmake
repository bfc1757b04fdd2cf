# Below 1.0 a new minor version may break what was promised.
set(PACKAGE_VERSION "@version@")

string(REGEX MATCH "^0\\.[0-9]+|^[0-9]+" _goplugin_series "${PACKAGE_VERSION}")
if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
  set(PACKAGE_VERSION_EXACT TRUE)
endif()
if(PACKAGE_FIND_VERSION VERSION_LESS_EQUAL PACKAGE_VERSION AND
   "${PACKAGE_FIND_VERSION}." MATCHES "^${_goplugin_series}\\.")
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
unset(_goplugin_series)
