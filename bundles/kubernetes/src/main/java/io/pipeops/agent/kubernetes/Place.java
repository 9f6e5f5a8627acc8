package io.pipeops.agent.kubernetes;

import java.net.URI;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * Where an API server is and what it takes to talk to it, as found in a pod or in a kubeconfig.
 *
 * @param base scheme, host, port and base path
 * @param insecure whether the server's certificate is not checked
 * @param ca PEM text of the CA as it is now; empty for the JDK's roots
 * @param identity the client certificate; null if there is none
 * @param token the bearer token as it is now
 * @param mountedToken whether the token comes from a file that Kubernetes mounts and rotates
 * @param namespace the namespace found beside it; empty if none was
 */
record Place(
    URI base,
    boolean insecure,
    Supplier<String> ca,
    ClientIdentity identity,
    Supplier<Optional<String>> token,
    boolean mountedToken,
    String namespace) {}
