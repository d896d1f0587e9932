// Nothing but the precompiled headers' home.
