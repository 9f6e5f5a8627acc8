package io.pipeops.hub.tls;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/** Where the server's certificate comes from. */
interface IdentitySource {
  /** The certificate to show from now on; the same object as long as it is the same. */
  ServerIdentity current() throws IOException;

  /** What clients shall trust, as PEM; empty if they know it anyway. */
  Optional<String> caPem();

  /** After which time {@link #current} should be asked again. */
  Duration recheck();
}
