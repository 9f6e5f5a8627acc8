package io.pipeops.agent.link;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Certificates and keys from PEM files; keys as PKCS#8, PKCS#1 (RSA) or SEC 1 (EC). */
final class Pem {
  private static final long LARGEST_FILE = 4 << 20;
  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]*)-----END \\1-----");

  /** AlgorithmIdentifier of rsaEncryption. */
  private static final byte[] RSA = HexFormat.of().parseHex("300d06092a864886f70d0101010500");

  /** OID of id-ecPublicKey. */
  private static final byte[] EC = HexFormat.of().parseHex("06072a8648ce3d0201");

  private Pem() {}

  private record Block(String kind, byte[] der) {}

  /** All certificates of a file, at least one. */
  static List<X509Certificate> certificates(String file, String setting)
      throws ConfigurationException {
    List<X509Certificate> certificates = new ArrayList<>();
    for (Block block : blocks(file, setting)) {
      if (block.kind.equals("CERTIFICATE") || block.kind.equals("TRUSTED CERTIFICATE")) {
        try {
          certificates.add(
              (X509Certificate)
                  CertificateFactory.getInstance("X.509")
                      .generateCertificate(new ByteArrayInputStream(block.der)));
        } catch (GeneralSecurityException e) {
          throw new ConfigurationException(setting + ": " + file + " has a broken certificate", e);
        }
      }
    }
    if (certificates.isEmpty()) {
      throw new ConfigurationException(setting + ": " + file + " holds no PEM certificate");
    }
    return certificates;
  }

  /** The one private key of a file. */
  static PrivateKey key(String file, String setting) throws ConfigurationException {
    for (Block block : blocks(file, setting)) {
      Optional<byte[]> pkcs8 =
          switch (block.kind) {
            case "PRIVATE KEY" -> Optional.of(block.der);
            case "RSA PRIVATE KEY" ->
                Optional.of(tlv(0x30, bytes(2, 1, 0), RSA, tlv(0x04, block.der)));
            case "EC PRIVATE KEY" -> Optional.of(sec1(block.der, file, setting));
            case "ENCRYPTED PRIVATE KEY" ->
                throw new ConfigurationException(
                    setting + ": " + file + " is encrypted; only plain keys are supported");
            default -> Optional.empty();
          };
      if (pkcs8.isPresent()) {
        return parse(pkcs8.get(), file, setting);
      }
    }
    throw new ConfigurationException(setting + ": " + file + " holds no PEM private key");
  }

  private static PrivateKey parse(byte[] pkcs8, String file, String setting)
      throws ConfigurationException {
    for (String algorithm : List.of("RSA", "EC", "Ed25519")) {
      try {
        return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      } catch (InvalidKeySpecException e) {
        continue;
      } catch (GeneralSecurityException e) {
        throw new ConfigurationException(setting + ": no support for " + algorithm + " keys", e);
      }
    }
    throw new ConfigurationException(
        setting + ": " + file + " is no RSA, EC or Ed25519 private key");
  }

  /** SEC 1 names the curve inside the key in field [0]; PKCS#8 wants it outside. */
  private static byte[] sec1(byte[] der, String file, String setting)
      throws ConfigurationException {
    for (int i = 0; i + 2 < der.length; i++) {
      if ((der[i] & 0xff) == 0xa0 && der[i + 2] == 0x06) {
        int length = der[i + 1] & 0xff;
        if (length < 16 && i + 2 + length <= der.length) {
          byte[] curve = java.util.Arrays.copyOfRange(der, i + 2, i + 2 + length);
          return tlv(0x30, bytes(2, 1, 0), tlv(0x30, EC, curve), tlv(0x04, der));
        }
      }
    }
    throw new ConfigurationException(setting + ": " + file + " does not name its curve");
  }

  private static List<Block> blocks(String file, String setting) throws ConfigurationException {
    String text;
    try {
      Path path = Path.of(file);
      if (Files.size(path) > LARGEST_FILE) {
        throw new ConfigurationException(setting + ": " + file + " is too large for a PEM file");
      }
      text = Files.readString(path, StandardCharsets.ISO_8859_1);
    } catch (IOException | RuntimeException e) {
      if (e instanceof ConfigurationException known) {
        throw known;
      }
      throw new ConfigurationException(
          setting + ": cannot read " + file + " (" + e.getClass().getSimpleName() + ")", e);
    }
    List<Block> blocks = new ArrayList<>();
    Matcher matcher = BLOCK.matcher(text);
    while (matcher.find()) {
      try {
        blocks.add(new Block(matcher.group(1), Base64.getMimeDecoder().decode(matcher.group(2))));
      } catch (IllegalArgumentException e) {
        throw new ConfigurationException(setting + ": " + file + " is not valid PEM", e);
      }
    }
    return blocks;
  }

  private static byte[] bytes(int... values) {
    byte[] bytes = new byte[values.length];
    for (int i = 0; i < values.length; i++) {
      bytes[i] = (byte) values[i];
    }
    return bytes;
  }

  private static byte[] tlv(int tag, byte[]... parts) {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      content.writeBytes(part);
    }
    int length = content.size();
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(tag);
    if (length < 128) {
      out.write(length);
    } else if (length < 256) {
      out.writeBytes(bytes(0x81, length));
    } else {
      out.writeBytes(bytes(0x82, length >> 8, length & 0xff));
    }
    out.writeBytes(content.toByteArray());
    return out.toByteArray();
  }
}
