package io.pipeops.hub.tls;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The operator's certificate. When its files change, the new one is shown within a minute. */
final class OwnIdentity implements IdentitySource {
  private static final long MAX_FILE = 1 << 20;
  private static final Duration RECHECK = Duration.ofMinutes(1);

  private final Path certificateFile;
  private final Path keyFile;
  private final Optional<String> ca;
  private final Clock clock;
  private byte[] certificateBytes;
  private byte[] keyBytes;
  private ServerIdentity identity;

  OwnIdentity(TlsSettings settings, Clock clock) throws IOException {
    this.certificateFile = settings.certificate().orElseThrow();
    this.keyFile =
        settings
            .key()
            .orElseThrow(
                () -> new IOException("A TLS certificate is set, but no file with its key"));
    this.clock = clock;
    if (settings.ca().isPresent()) {
      Path file = settings.ca().get();
      byte[] pem = read(file);
      Pem.readCertificates(pem, file.toString());
      this.ca = Optional.of(new String(pem, StandardCharsets.US_ASCII));
    } else {
      this.ca = Optional.empty();
    }
  }

  @Override
  public synchronized ServerIdentity current() throws IOException {
    byte[] certificate = read(certificateFile);
    byte[] key = read(keyFile);
    if (identity != null
        && Arrays.equals(certificate, certificateBytes)
        && Arrays.equals(key, keyBytes)) {
      return identity;
    }
    List<X509Certificate> chain = Pem.readCertificates(certificate, certificateFile.toString());
    PrivateKey privateKey = Pem.readKey(key, keyFile.toString());
    if (!CertificateAuthority.matches(chain.get(0).getPublicKey(), privateKey)) {
      throw new IOException(
          "The key in %s does not belong to the first certificate in %s"
              .formatted(keyFile, certificateFile));
    }
    Instant end = chain.get(0).getNotAfter().toInstant();
    if (clock.instant().isAfter(end)) {
      throw new IOException("The certificate in %s ended at %s".formatted(certificateFile, end));
    }
    identity = new ServerIdentity(List.copyOf(chain), privateKey);
    certificateBytes = certificate;
    keyBytes = key;
    return identity;
  }

  private static byte[] read(Path file) throws IOException {
    try {
      if (Files.size(file) > MAX_FILE) {
        throw new IOException(file + " is larger than " + MAX_FILE + " bytes");
      }
      return Files.readAllBytes(file);
    } catch (NoSuchFileException e) {
      throw new IOException("There is no file " + file, e);
    }
  }

  @Override
  public Optional<String> caPem() {
    return ca;
  }

  @Override
  public Duration recheck() {
    return RECHECK;
  }
}
