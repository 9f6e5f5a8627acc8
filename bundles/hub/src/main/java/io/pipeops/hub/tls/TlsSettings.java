package io.pipeops.hub.tls;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Which certificate the hub shows.
 *
 * @param hostNames names and addresses that the generated certificate is for, beside localhost and
 *     the host's own name
 * @param certificate PEM file with the operator's certificate and its chain; empty for a generated
 *     one
 * @param key PEM file with its private key; there whenever the certificate is
 * @param ca PEM file with the CA that clients shall trust; empty if they know it anyway
 */
public record TlsSettings(
    List<String> hostNames, Optional<Path> certificate, Optional<Path> key, Optional<Path> ca) {
  public TlsSettings {
    hostNames = List.copyOf(hostNames);
  }

  /** A generated certificate. */
  public static TlsSettings generated(List<String> hostNames) {
    return new TlsSettings(hostNames, Optional.empty(), Optional.empty(), Optional.empty());
  }
}
