package io.pipeops.hub.tls;

import io.pipeops.hub.store.StateDirectory;
import java.io.IOException;
import java.math.BigInteger;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.SecureRandom;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x500.X500NameBuilder;
import org.bouncycastle.asn1.x500.style.BCStyle;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/**
 * The hub's own CA (EC P-256), in {@code ca.crt} and {@code ca.key} of the state directory. Agents
 * and kubeconfigs trust it, so it lives long and is never replaced by the hub.
 */
final class CertificateAuthority {
  static final String CERTIFICATE_FILE = "ca.crt";
  static final String KEY_FILE = "ca.key";
  static final Duration LIFETIME = Duration.ofDays(3650);
  private static final Duration BACKDATE = Duration.ofHours(1);
  private static final int SERIAL_BITS = 127;

  private final X509Certificate certificate;
  private final PrivateKey key;

  private CertificateAuthority(X509Certificate certificate, PrivateKey key) {
    this.certificate = certificate;
    this.key = key;
  }

  /**
   * Reads the CA or makes one where there is none.
   *
   * @throws IOException if half of it is missing, or it is damaged or over
   */
  static CertificateAuthority open(StateDirectory state, Clock clock) throws IOException {
    Optional<byte[]> certificatePem = state.read(CERTIFICATE_FILE);
    Optional<byte[]> keyPem = state.read(KEY_FILE);
    if (certificatePem.isEmpty() && keyPem.isEmpty()) {
      return create(state, clock);
    }
    String certificateFile = state.file(CERTIFICATE_FILE).toString();
    String keyFile = state.file(KEY_FILE).toString();
    if (certificatePem.isEmpty() && keyPem.isPresent()) {
      // A crash between the two files of the first start: the key has signed nothing yet.
      return create(state, clock);
    }
    if (keyPem.isEmpty()) {
      throw new IOException(
          ("%s is missing while %s is there. Restore it from a backup, or delete %s for a new CA,"
                  + " which agents and kubeconfigs must then be told")
              .formatted(keyFile, certificateFile, certificateFile));
    }
    X509Certificate certificate =
        Pem.readCertificates(certificatePem.get(), certificateFile).get(0);
    PrivateKey key = Pem.readKey(keyPem.get(), keyFile);
    if (!matches(certificate.getPublicKey(), key)) {
      throw new IOException("%s and %s do not belong together".formatted(certificateFile, keyFile));
    }
    if (clock.instant().isAfter(certificate.getNotAfter().toInstant())) {
      throw new IOException(
          ("The CA in %s ended at %s. Delete it and %s for a new one, which agents and kubeconfigs"
                  + " must then be told")
              .formatted(certificateFile, certificate.getNotAfter().toInstant(), keyFile));
    }
    return new CertificateAuthority(certificate, key);
  }

  private static CertificateAuthority create(StateDirectory state, Clock clock) throws IOException {
    try {
      KeyPair pair = newKey();
      byte[] mark = new byte[4];
      new SecureRandom().nextBytes(mark);
      // The mark tells the CAs of two hubs apart in a trust store.
      X500Name name =
          new X500NameBuilder(BCStyle.INSTANCE)
              .addRDN(BCStyle.O, "PipeOps")
              .addRDN(BCStyle.CN, "PipeOps hub CA " + java.util.HexFormat.of().formatHex(mark))
              .build();
      Instant now = clock.instant();
      X509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              name,
              serial(),
              Date.from(now.minus(BACKDATE)),
              Date.from(now.plus(LIFETIME)),
              name,
              pair.getPublic());
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(0));
      builder.addExtension(
          Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign));
      builder.addExtension(
          Extension.subjectKeyIdentifier,
          false,
          new JcaX509ExtensionUtils().createSubjectKeyIdentifier(pair.getPublic()));
      X509Certificate certificate = sign(builder, pair.getPrivate());
      state.writeSecret(KEY_FILE, Pem.key(pair.getPrivate()));
      state.write(CERTIFICATE_FILE, Pem.certificates(List.of(certificate)));
      return new CertificateAuthority(certificate, pair.getPrivate());
    } catch (GeneralSecurityException | OperatorCreationException e) {
      throw new IOException("Cannot make a CA: " + e.getMessage(), e);
    }
  }

  X509Certificate certificate() {
    return certificate;
  }

  /** A certificate for a server with these names, not longer valid than the CA. */
  X509Certificate issue(PublicKey subject, List<GeneralName> names, Instant now, Duration lifetime)
      throws IOException {
    try {
      Instant end = now.plus(lifetime);
      Instant last = certificate.getNotAfter().toInstant();
      X509v3CertificateBuilder builder =
          new JcaX509v3CertificateBuilder(
              certificate,
              serial(),
              Date.from(now.minus(BACKDATE)),
              Date.from(end.isBefore(last) ? end : last),
              new javax.security.auth.x500.X500Principal("O=PipeOps,CN=PipeOps hub"),
              subject);
      JcaX509ExtensionUtils extensions = new JcaX509ExtensionUtils();
      builder.addExtension(Extension.basicConstraints, true, new BasicConstraints(false));
      builder.addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.digitalSignature));
      builder.addExtension(
          Extension.extendedKeyUsage, false, new ExtendedKeyUsage(KeyPurposeId.id_kp_serverAuth));
      builder.addExtension(
          Extension.subjectAlternativeName,
          false,
          new GeneralNames(names.toArray(GeneralName[]::new)));
      builder.addExtension(
          Extension.authorityKeyIdentifier,
          false,
          extensions.createAuthorityKeyIdentifier(certificate.getPublicKey()));
      builder.addExtension(
          Extension.subjectKeyIdentifier, false, extensions.createSubjectKeyIdentifier(subject));
      return sign(builder, key);
    } catch (GeneralSecurityException | OperatorCreationException e) {
      throw new IOException("Cannot make a certificate: " + e.getMessage(), e);
    }
  }

  static KeyPair newKey() throws GeneralSecurityException {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec("secp256r1"));
    return generator.generateKeyPair();
  }

  // The signature is the JDK's: the library only builds the structure around it, and its provider,
  // a megabyte of classes, is never loaded.
  private static X509Certificate sign(X509v3CertificateBuilder builder, PrivateKey key)
      throws GeneralSecurityException, OperatorCreationException {
    return new JcaX509CertificateConverter()
        .getCertificate(builder.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key)));
  }

  private static BigInteger serial() {
    return new BigInteger(SERIAL_BITS, new SecureRandom()).setBit(SERIAL_BITS);
  }

  /** Whether a signature of the private key is one of the public key. */
  static boolean matches(PublicKey publicKey, PrivateKey key) {
    String algorithm =
        switch (key.getAlgorithm()) {
          case "EC" -> "SHA256withECDSA";
          case "RSA" -> "SHA256withRSA";
          default -> key.getAlgorithm();
        };
    try {
      byte[] text = new byte[32];
      var signature = java.security.Signature.getInstance(algorithm);
      signature.initSign(key);
      signature.update(text);
      byte[] signed = signature.sign();
      signature.initVerify(publicKey);
      signature.update(text);
      return signature.verify(signed);
    } catch (GeneralSecurityException e) {
      return false;
    }
  }
}
