package io.pipeops.hub.tls;

import io.pipeops.hub.store.StateDirectory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.PrivateKey;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.util.IPAddress;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A certificate of the hub's own CA, in {@code server.crt} and {@code server.key}. A new one is
 * made when a third of its life is left, when the names change, and when the files are damaged.
 */
final class GeneratedIdentity implements IdentitySource {
  private static final Logger log = LoggerFactory.getLogger(GeneratedIdentity.class);
  static final String CERTIFICATE_FILE = "server.crt";
  static final String KEY_FILE = "server.key";
  static final Duration LIFETIME = Duration.ofDays(90);
  static final Duration RENEW_BEFORE = Duration.ofDays(30);
  private static final Duration LONGEST_WAIT = Duration.ofHours(12);
  private static final Duration RETRY = Duration.ofMinutes(10);

  private final StateDirectory state;
  private final Clock clock;
  private final CertificateAuthority authority;
  private final Set<String> names;
  private ServerIdentity identity;

  GeneratedIdentity(StateDirectory state, List<String> hostNames, Clock clock) throws IOException {
    this.state = state;
    this.clock = clock;
    this.authority = CertificateAuthority.open(state, clock);
    this.names = names(hostNames);
  }

  private static Set<String> names(List<String> configured) throws IOException {
    Set<String> names = new LinkedHashSet<>(List.of("localhost", "127.0.0.1", "::1"));
    for (String name : configured) {
      String clean = name.strip().toLowerCase(Locale.ROOT);
      if (clean.isEmpty()) {
        continue;
      }
      if (!isAddress(clean) && !isHostName(clean)) {
        throw new IOException(
            "TLS host name '%s' is neither a DNS name nor an address"
                .formatted(name.replaceAll("\\p{Cntrl}", "?")));
      }
      names.add(clean);
    }
    try {
      String own = InetAddress.getLocalHost().getHostName().toLowerCase(Locale.ROOT);
      if (isAddress(own) || isHostName(own)) {
        names.add(own);
      }
    } catch (UnknownHostException e) {
      log.debug("The host has no name: {}", e.getMessage());
    }
    return names;
  }

  static boolean isAddress(String name) {
    return IPAddress.isValidIPv4(name) || IPAddress.isValidIPv6(name);
  }

  static boolean isHostName(String name) {
    return name.length() <= 253
        && name.matches(
            "(\\*\\.)?[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*");
  }

  @Override
  public synchronized ServerIdentity current() throws IOException {
    if (identity == null) {
      identity = load().orElse(null);
    }
    if (identity == null || due(identity)) {
      identity = renew();
    }
    return identity;
  }

  private boolean due(ServerIdentity held) {
    Instant end = held.notAfter();
    // The last certificate before the CA's own end cannot be renewed into a longer one.
    boolean canBeLonger = end.isBefore(authority.certificate().getNotAfter().toInstant());
    return canBeLonger && clock.instant().isAfter(end.minus(RENEW_BEFORE));
  }

  private Optional<ServerIdentity> load() throws IOException {
    Optional<byte[]> certificate = state.read(CERTIFICATE_FILE);
    Optional<byte[]> key = state.read(KEY_FILE);
    if (certificate.isEmpty() || key.isEmpty()) {
      return Optional.empty();
    }
    try {
      List<X509Certificate> chain = Pem.readCertificates(certificate.get(), CERTIFICATE_FILE);
      PrivateKey privateKey = Pem.readKey(key.get(), KEY_FILE);
      chain.get(0).verify(authority.certificate().getPublicKey());
      if (CertificateAuthority.matches(chain.get(0).getPublicKey(), privateKey)
          && subjectNames(chain.get(0)).equals(canonical(names))) {
        return Optional.of(new ServerIdentity(List.copyOf(chain), privateKey));
      }
    } catch (IOException | GeneralSecurityException e) {
      log.warn(
          "Stored server certificate is not usable, makes a new one file={} reason={}",
          state.file(CERTIFICATE_FILE),
          e.getMessage());
    }
    return Optional.empty();
  }

  private ServerIdentity renew() throws IOException {
    try {
      KeyPair pair = CertificateAuthority.newKey();
      List<GeneralName> subject = new ArrayList<>();
      for (String name : names) {
        subject.add(
            new GeneralName(isAddress(name) ? GeneralName.iPAddress : GeneralName.dNSName, name));
      }
      X509Certificate certificate =
          authority.issue(pair.getPublic(), subject, clock.instant(), LIFETIME);
      List<X509Certificate> chain = List.of(certificate, authority.certificate());
      state.writeSecret(KEY_FILE, Pem.key(pair.getPrivate()));
      state.write(CERTIFICATE_FILE, Pem.certificates(chain));
      log.info(
          "New server certificate names={} until={}", names, certificate.getNotAfter().toInstant());
      return new ServerIdentity(chain, pair.getPrivate());
    } catch (GeneralSecurityException e) {
      throw new IOException("Cannot make a certificate: " + e.getMessage(), e);
    }
  }

  private static Set<String> subjectNames(X509Certificate certificate)
      throws CertificateParsingException {
    Set<String> found = new TreeSet<>();
    var names = certificate.getSubjectAlternativeNames();
    if (names != null) {
      names.forEach(name -> found.add(String.valueOf(name.get(1))));
    }
    return canonical(found);
  }

  /** IPv6 addresses have many spellings. */
  private static Set<String> canonical(Set<String> names) {
    Set<String> canonical = new TreeSet<>();
    for (String name : names) {
      try {
        canonical.add(isAddress(name) ? InetAddress.getByName(name).getHostAddress() : name);
      } catch (UnknownHostException e) {
        canonical.add(name);
      }
    }
    return canonical;
  }

  @Override
  public Optional<String> caPem() {
    return Optional.of(
        new String(Pem.certificates(List.of(authority.certificate())), StandardCharsets.US_ASCII));
  }

  @Override
  public synchronized Duration recheck() {
    if (identity == null) {
      return RETRY;
    }
    Duration left =
        Duration.between(clock.instant(), identity.notAfter().minus(RENEW_BEFORE)).plusSeconds(1);
    if (left.compareTo(LONGEST_WAIT) > 0) {
      return LONGEST_WAIT;
    }
    return left.compareTo(RETRY) < 0 ? RETRY : left;
  }
}
