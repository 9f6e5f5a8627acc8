package io.pipeops.agent.kubernetes;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.ECGenParameterSpec;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PemTest {
  private static void assertSigns(String algorithm, KeyPair pair, String pem) throws Exception {
    PrivateKey read = Pem.privateKey(pem, "key");
    byte[] data = {1, 2, 3};
    Signature signature = Signature.getInstance(algorithm);
    signature.initSign(read);
    signature.update(data);
    byte[] signed = signature.sign();
    signature.initVerify(pair.getPublic());
    signature.update(data);
    assertTrue(signature.verify(signed));
  }

  @Test
  void readsRsaKeysOfBothForms() throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
    generator.initialize(2048);
    KeyPair pair = generator.generateKeyPair();
    assertSigns(
        "SHA256withRSA", pair, Certificates.pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
    assertSigns("SHA256withRSA", pair, Certificates.oldKeyPem(pair.getPrivate()));
  }

  @ParameterizedTest
  @ValueSource(strings = {"secp256r1", "secp384r1", "secp521r1"})
  void readsEcKeys(String curve) throws Exception {
    KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
    generator.initialize(new ECGenParameterSpec(curve));
    KeyPair pair = generator.generateKeyPair();
    assertSigns(
        "SHA256withECDSA", pair, Certificates.pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
    if (curve.equals("secp256r1")) {
      String old = Certificates.oldKeyPem(pair.getPrivate());
      assertSigns("SHA256withECDSA", pair, old);
      assertSigns(
          "SHA256withECDSA",
          pair,
          Certificates.pem("EC PARAMETERS", Der.oid(1, 2, 840, 10045, 3, 1, 7)) + old);
    }
  }

  @Test
  void readsEd25519Keys() throws Exception {
    KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
    assertSigns("Ed25519", pair, Certificates.pem("PRIVATE KEY", pair.getPrivate().getEncoded()));
  }

  @Test
  void readsAllCertificatesOfABundleAndSkipsText(@TempDir Path folder) throws Exception {
    Certificates one = Certificates.make(folder, "one", "EC");
    String text = "# a comment\n" + one.certificatePem() + "\nmore\r\n" + one.certificatePem();
    assertEquals(2, Pem.certificates(text, "ca").size());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "no pem",
        "-----BEGIN CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END OTHER-----",
        "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----"
      })
  void refusesWhatIsNoCertificateAndNoKey(String text) {
    assertThrows(AccessException.class, () -> Pem.certificates(text, "ca"));
    assertThrows(AccessException.class, () -> Pem.privateKey(text, "key"));
  }

  @Test
  void saysThatEncryptedKeysAreNotSupported() {
    for (String text :
        new String[] {
          Certificates.pem("ENCRYPTED PRIVATE KEY", new byte[] {48, 0}),
          "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\nMAA=\n"
              + "-----END RSA PRIVATE KEY-----\n"
        }) {
      AccessException thrown =
          assertThrows(AccessException.class, () -> Pem.privateKey(text, "key"));
      assertTrue(thrown.getMessage().contains("encrypted"), thrown.getMessage());
    }
  }

  @Property(tries = 1000)
  void anyBytesInAnyBlockAreRefusedWithOneKindOfError(@ForAll byte[] der) {
    for (String label : new String[] {"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"}) {
      assertThrows(
          AccessException.class, () -> Pem.privateKey(Certificates.pem(label, der), "key"));
    }
    assertThrows(
        AccessException.class, () -> Pem.certificates(Certificates.pem("CERTIFICATE", der), "ca"));
  }

  @Property(tries = 2000)
  void anyDerIsReadOrRefused(@ForAll byte[] der) {
    try {
      Der.of(der).enter(Der.SEQUENCE).enter(Der.SEQUENCE).content(Der.OID);
    } catch (IllegalArgumentException e) {
      assertTrue(e.getMessage().contains("DER"));
    }
  }
}
