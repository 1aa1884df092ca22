# Run by cpack when packages are made. Where a shared library is in one, cpack calls ldconfig from
# scripts, and dpkg keeps the one for removal, and with it the package in its list ("rc"), when the
# package is removed. What Debian's own packages have instead is a trigger, which leaves nothing.
foreach(package IN LISTS CPACK_PACKAGE_FILES)
    if(NOT package MATCHES "[.]deb$")
        continue()
    endif()
    set(content "${package}.content")
    execute_process(COMMAND dpkg-deb --raw-extract "${package}" "${content}"
        COMMAND_ERROR_IS_FATAL ANY)
    if(EXISTS "${content}/DEBIAN/postrm")
        file(REMOVE "${content}/DEBIAN/postinst" "${content}/DEBIAN/postrm")
        file(WRITE "${content}/DEBIAN/triggers" "activate-noawait ldconfig\n")
        execute_process(COMMAND dpkg-deb --root-owner-group --build "${content}" "${package}"
            OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
    endif()
    file(REMOVE_RECURSE "${content}")
endforeach()
