# `cpack -G DEB` in a build folder makes Debian packages of what `cmake --install` installs: onnx-mfm,
# and one for each MPI that the build has found. Their dependencies are read off the files.
set(CPACK_PACKAGE_NAME onnx-mfm)
set(CPACK_PACKAGE_CONTACT "The onnx-mfm developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "train image classifiers on long-tailed data, from ONNX and back")
set(CPACK_PACKAGE_DESCRIPTION "Takes an image classifier as an ONNX file, inserts a feature modulator,
trains the network on long-tailed images with the help of a small balanced set,
and writes the plain classifier, an ONNX file that any runtime serves.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_POST_BUILD_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}/triggers.cmake")
set(CPACK_DEBIAN_MAIN_PACKAGE_NAME onnx-mfm)
set(CPACK_COMPONENT_MAIN_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(mfm_suggests librsvg2-bin dataset-fashion-mnist)
foreach(mpi IN LISTS MFM_MPIS)
    string(TOUPPER ${mpi} name)
    set(CPACK_DEBIAN_${name}_PACKAGE_NAME onnx-mfm-${mpi})
    set(CPACK_DEBIAN_${name}_PACKAGE_DEPENDS "onnx-mfm (= ${PROJECT_VERSION})")
    set(CPACK_COMPONENT_${name}_DESCRIPTION
        "The module with which onnx-mfm trains on several machines, started by this MPI: ${mpi}.")
    list(APPEND mfm_suggests onnx-mfm-${mpi})
endforeach()
# What Debian wants of every package to tell.
file(WRITE "${PROJECT_BINARY_DIR}/copyright"
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: onnx-mfm

Files: *
Copyright: The onnx-mfm developers
License: Apache-2.0
 The text is in /usr/share/common-licenses/Apache-2.0.
")
install(FILES "${PROJECT_BINARY_DIR}/copyright" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
list(JOIN mfm_suggests ", " CPACK_DEBIAN_MAIN_PACKAGE_SUGGESTS)
include(CPack)
