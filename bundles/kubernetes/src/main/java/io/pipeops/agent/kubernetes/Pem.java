package io.pipeops.agent.kubernetes;

import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;

/**
 * Certificates and private keys from PEM text (RFC 7468) with what the JDK has. Keys may be PKCS#8,
 * PKCS#1 (RSA) or SEC1 (EC); the last two are wrapped into PKCS#8, the only form that the JDK
 * reads.
 */
final class Pem {
  private static final byte[] RSA = Der.oid(1, 2, 840, 113549, 1, 1, 1);
  private static final byte[] EC = Der.oid(1, 2, 840, 10045, 2, 1);
  private static final Map<String, String> ALGORITHMS =
      Map.of(
          "1.2.840.113549.1.1.1", "RSA",
          "1.2.840.113549.1.1.10", "RSASSA-PSS",
          "1.2.840.10045.2.1", "EC",
          "1.3.101.112", "EdDSA",
          "1.3.101.113", "EdDSA");

  private record Block(String label, byte[] der) {}

  private Pem() {}

  /**
   * All certificates in the text, in order; other blocks are skipped.
   *
   * @throws AccessException if there is none or one is broken
   */
  static List<X509Certificate> certificates(String text, String what) throws AccessException {
    List<X509Certificate> found = new ArrayList<>();
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      for (Block block : blocks(text, what)) {
        if (block.label.equals("CERTIFICATE")) {
          found.add(
              (X509Certificate) factory.generateCertificate(new ByteArrayInputStream(block.der)));
        }
      }
    } catch (GeneralSecurityException e) {
      throw new AccessException(what + " is not a valid certificate", e);
    }
    if (found.isEmpty()) {
      throw new AccessException(what + " holds no PEM certificate");
    }
    return found;
  }

  /**
   * The first private key in the text.
   *
   * @throws AccessException if there is none, it is encrypted, or of an unknown kind
   */
  static PrivateKey privateKey(String text, String what) throws AccessException {
    for (Block block : blocks(text, what)) {
      switch (block.label) {
        case "PRIVATE KEY":
          return pkcs8(block.der, what);
        case "RSA PRIVATE KEY":
          if (text.contains("Proc-Type: 4,ENCRYPTED")) {
            throw new AccessException(what + " is encrypted, which is not supported");
          }
          return pkcs8(wrap(Der.sequence(RSA, Der.NULL), block.der), what);
        case "EC PRIVATE KEY":
          return pkcs8(wrap(Der.sequence(EC, curve(block.der, what)), block.der), what);
        case "ENCRYPTED PRIVATE KEY":
          throw new AccessException(what + " is encrypted, which is not supported");
        default:
          break;
      }
    }
    throw new AccessException(what + " holds no PEM private key");
  }

  /**
   * PEM text that was wrapped in base64 once more; white space in it does not matter.
   *
   * @throws AccessException if it is something else
   */
  static String decode(String base64, String what) throws AccessException {
    try {
      byte[] text = Base64.getDecoder().decode(base64.replaceAll("\\s+", ""));
      return new String(text, StandardCharsets.US_ASCII);
    } catch (IllegalArgumentException e) {
      throw new AccessException(what + " is not base64", e);
    }
  }

  private static PrivateKey pkcs8(byte[] der, String what) throws AccessException {
    try {
      Der key = Der.of(der).enter(Der.SEQUENCE);
      key.skip(Der.INTEGER);
      String oid = Der.dotted(key.enter(Der.SEQUENCE).content(Der.OID));
      String algorithm = ALGORITHMS.get(oid);
      if (algorithm == null) {
        throw new AccessException(what + " is of an unsupported kind (" + oid + ")");
      }
      return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      throw new AccessException(what + " is not a valid private key", e);
    }
  }

  private static byte[] wrap(byte[] algorithm, byte[] key) {
    return Der.sequence(Der.ZERO, algorithm, Der.octets(key));
  }

  /** The curve that a SEC1 key names in its optional first parameter (RFC 5915). */
  private static byte[] curve(byte[] der, String what) throws AccessException {
    try {
      Der key = Der.of(der).enter(Der.SEQUENCE);
      key.skip(Der.INTEGER);
      key.skip(Der.OCTET_STRING);
      return key.enter(0xa0).whole(Der.OID);
    } catch (IllegalArgumentException e) {
      throw new AccessException(what + " is not a valid EC private key that names its curve", e);
    }
  }

  private static List<Block> blocks(String text, String what) throws AccessException {
    List<Block> blocks = new ArrayList<>();
    int at = 0;
    while (true) {
      int begin = text.indexOf("-----BEGIN ", at);
      if (begin < 0) {
        return blocks;
      }
      int labelEnd = text.indexOf("-----", begin + 11);
      if (labelEnd < 0) {
        throw new AccessException(what + " is cut off");
      }
      String label = text.substring(begin + 11, labelEnd);
      int end = text.indexOf("-----END " + label + "-----", labelEnd);
      if (end < 0) {
        throw new AccessException(what + " is cut off");
      }
      at = end + label.length() + 14;
      try {
        String body = text.substring(labelEnd + 5, end);
        int headers = body.lastIndexOf("\n\n");
        if (body.indexOf(':') >= 0 && headers >= 0) {
          body = body.substring(headers);
        }
        byte[] der =
            Base64.getMimeDecoder().decode(body.trim().getBytes(StandardCharsets.US_ASCII));
        blocks.add(new Block(label, der));
      } catch (IllegalArgumentException e) {
        throw new AccessException(what + " is not valid base64", e);
      }
    }
  }
}
