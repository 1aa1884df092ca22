# xxHash 0.8 or later, of which only the header is used: imported target XXHash::XXHash.
find_path(XXHash_INCLUDE_DIR xxhash.h)
if(XXHash_INCLUDE_DIR)
    file(STRINGS "${XXHash_INCLUDE_DIR}/xxhash.h" version_lines
        REGEX "#define XXH_VERSION_(MAJOR|MINOR|RELEASE) +[0-9]+")
    string(REGEX REPLACE "[^0-9;]" "" XXHash_VERSION "${version_lines}")
    string(REPLACE ";" "." XXHash_VERSION "${XXHash_VERSION}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XXHash REQUIRED_VARS XXHash_INCLUDE_DIR
    VERSION_VAR XXHash_VERSION)
if(XXHash_FOUND AND NOT TARGET XXHash::XXHash)
    add_library(XXHash::XXHash INTERFACE IMPORTED)
    set_target_properties(XXHash::XXHash PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${XXHash_INCLUDE_DIR}")
endif()
