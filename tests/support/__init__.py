"""What tests share: servers, namespaces of their own, and waiting without sleeping."""
