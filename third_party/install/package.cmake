# `cpack -G DEB` in a build folder makes a Debian package of what `cmake --install` installs; its
# dependencies are read off the files.
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
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "librsvg2-bin, dataset-fashion-mnist")
include(CPack)
