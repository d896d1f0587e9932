// Exists to own the precompiled header; see CMakeLists.txt.
