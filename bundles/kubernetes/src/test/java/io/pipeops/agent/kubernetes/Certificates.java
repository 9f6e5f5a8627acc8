package io.pipeops.agent.kubernetes;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Key;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Base64;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;

/** Self-signed certificates for one test run, made by the JDK's own tool. */
final class Certificates {
  private static final char[] PASSWORD = "changeit".toCharArray();

  final KeyStore store;
  final X509Certificate certificate;
  final PrivateKey key;

  private Certificates(KeyStore store) throws Exception {
    this.store = store;
    this.certificate = (X509Certificate) store.getCertificate("test");
    this.key = (PrivateKey) store.getKey("test", PASSWORD);
  }

  static Certificates make(Path folder, String name, String algorithm) throws Exception {
    Path file = folder.resolve(name + ".p12");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                "test",
                "-keyalg",
                algorithm,
                "-dname",
                "CN=" + name,
                "-ext",
                "san=ip:127.0.0.1",
                "-validity",
                "30",
                "-storetype",
                "PKCS12",
                "-keystore",
                file.toString(),
                "-storepass",
                new String(PASSWORD))
            .redirectErrorStream(true)
            .start();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (process.waitFor() != 0) {
      throw new IllegalStateException(output);
    }
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(file)) {
      store.load(in, PASSWORD);
    }
    return new Certificates(store);
  }

  SSLContext server() throws Exception {
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, PASSWORD);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), new TrustManager[] {new ClusterTrust.Anyone()}, null);
    return context;
  }

  String certificatePem() throws Exception {
    return pem("CERTIFICATE", certificate.getEncoded());
  }

  String keyPem() {
    return pem("PRIVATE KEY", key.getEncoded());
  }

  /** The key in the older form of its kind: PKCS#1 for RSA, SEC1 with its curve for EC. */
  static String oldKeyPem(Key key) {
    Der pkcs8 = Der.of(key.getEncoded()).enter(Der.SEQUENCE);
    pkcs8.skip(Der.INTEGER);
    Der algorithm = pkcs8.enter(Der.SEQUENCE);
    byte[] inner = pkcs8.content(Der.OCTET_STRING);
    if (key.getAlgorithm().equals("RSA")) {
      return pem("RSA PRIVATE KEY", inner);
    }
    algorithm.skip(Der.OID);
    byte[] curve = algorithm.whole(Der.OID);
    Der sec1 = Der.of(inner).enter(Der.SEQUENCE);
    sec1.skip(Der.INTEGER);
    byte[] secret = sec1.content(Der.OCTET_STRING);
    byte[] tagged = new byte[curve.length + 2];
    tagged[0] = (byte) 0xa0;
    tagged[1] = (byte) curve.length;
    System.arraycopy(curve, 0, tagged, 2, curve.length);
    return pem(
        "EC PRIVATE KEY",
        Der.sequence(new byte[] {2, 1, 1}, Der.octets(Arrays.copyOf(secret, 32)), tagged));
  }

  static String pem(String label, byte[] der) {
    return "-----BEGIN "
        + label
        + "-----\n"
        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
        + "\n-----END "
        + label
        + "-----\n";
  }
}
