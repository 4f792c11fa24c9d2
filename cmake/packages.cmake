# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# What is installed where, and the two Debian packages: `idlewatt` (people and servers) and
# `idlewatt-agent` (what a car carries). `make deb` builds them.
include(GNUInstallDirs)
if(NOT TARGET idlewatt OR NOT TARGET idlewatt-agent)
    return()
endif()

# Man pages, completions and the example file come out of the program itself.
set(documents ${CMAKE_BINARY_DIR}/documents)
add_custom_command(OUTPUT ${documents}/idlewatt.toml ${documents}/man1/idlewatt.1
        ${documents}/man5/idlewatt.toml.5 ${documents}/completions/idlewatt
        ${documents}/completions/_idlewatt ${documents}/completions/idlewatt.fish
    COMMAND idlewatt write-documents ${documents}
    DEPENDS idlewatt COMMENT "Writing the manual and the completions" VERBATIM)
add_custom_target(documents DEPENDS ${documents}/idlewatt.toml)

install(TARGETS idlewatt RUNTIME DESTINATION bin COMPONENT idlewatt)
install(FILES ${documents}/man1/idlewatt.1 DESTINATION share/man/man1 COMPONENT idlewatt)
install(FILES ${documents}/man5/idlewatt.toml.5 DESTINATION share/man/man5 COMPONENT idlewatt-agent)
install(FILES ${documents}/completions/idlewatt DESTINATION share/bash-completion/completions
    COMPONENT idlewatt)
install(FILES ${documents}/completions/_idlewatt DESTINATION share/zsh/vendor-completions
    COMPONENT idlewatt)
install(FILES ${documents}/completions/idlewatt.fish DESTINATION share/fish/vendor_completions.d
    COMPONENT idlewatt)
install(FILES ${documents}/idlewatt.toml DESTINATION /etc/idlewatt COMPONENT idlewatt)
# The model of the demonstration and of a first `idlewatt up`.
install(FILES models/valet/valet.gguf DESTINATION share/idlewatt/models COMPONENT idlewatt)
install(FILES deploy/systemd/idlewatt-coordinator.service deploy/systemd/idlewatt-gateway.service
    DESTINATION lib/systemd/system COMPONENT idlewatt)
install(FILES LICENSE DESTINATION share/doc/idlewatt RENAME copyright COMPONENT idlewatt)

install(TARGETS idlewatt-agent RUNTIME DESTINATION bin COMPONENT idlewatt-agent)
install(PROGRAMS tools/engine-bundle DESTINATION lib/idlewatt COMPONENT idlewatt-agent)
install(FILES deploy/man/idlewatt-agent.8 DESTINATION share/man/man8 COMPONENT idlewatt-agent)
install(FILES deploy/systemd/idlewatt-agent.service DESTINATION lib/systemd/system
    COMPONENT idlewatt-agent)
install(FILES examples/always_parked.toml DESTINATION share/doc/idlewatt-agent/examples
    COMPONENT idlewatt-agent)
install(FILES LICENSE DESTINATION share/doc/idlewatt-agent RENAME copyright
    COMPONENT idlewatt-agent)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_VENDOR "The Idlewatt Authors")
set(CPACK_PACKAGE_CONTACT "The Idlewatt Authors <authors@idlewatt.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "AI inference on parked electric cars")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_COMPONENTS_ALL idlewatt idlewatt-agent)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)

set(maintainer ${PROJECT_SOURCE_DIR}/deploy/debian)
file(WRITE ${CMAKE_BINARY_DIR}/packages/conffiles "/etc/idlewatt/idlewatt.toml\n")
foreach(package IN ITEMS idlewatt idlewatt-agent)
    string(TOUPPER ${package} upper)
    set(scripts)
    foreach(script IN ITEMS postinst prerm postrm)
        # dpkg knows the scripts by their bare names.
        configure_file(${maintainer}/${package}.${script}
            ${CMAKE_BINARY_DIR}/packages/${package}/${script} COPYONLY)
        list(APPEND scripts ${CMAKE_BINARY_DIR}/packages/${package}/${script})
    endforeach()
    if(package STREQUAL "idlewatt")
        list(APPEND scripts ${CMAKE_BINARY_DIR}/packages/conffiles)
    endif()
    set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA "${scripts}")
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_STRICT_PERMISSION ON)
endforeach()
set(CPACK_DEBIAN_IDLEWATT_PACKAGE_DEPENDS "idlewatt-agent (= ${PROJECT_VERSION})")
# The engine comes by apt into a folder of its own; the sandbox is Bubblewrap's.
set(CPACK_DEBIAN_IDLEWATT-AGENT_PACKAGE_DEPENDS "bubblewrap, apt, dpkg, debian-archive-keyring")
set(CPACK_COMPONENT_IDLEWATT_DESCRIPTION
    "Gateway, coordinator and commands of Idlewatt, which serves AI inference on parked cars.")
set(CPACK_COMPONENT_IDLEWATT-AGENT_DESCRIPTION
    "The program in the car: decides by the owner's settings whether the car may work.")
include(CPack)
