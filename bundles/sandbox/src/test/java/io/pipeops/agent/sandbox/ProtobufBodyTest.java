package io.pipeops.agent.sandbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ProtobufBodyTest {
  private final ProtobufBody protobuf = new ProtobufBody(new ResourceCatalog(), new Schemas());

  /** A field of wire type 2; all lengths here are below 128. */
  private static byte[] field(int number, byte[]... parts) {
    ByteArrayOutputStream content = new ByteArrayOutputStream();
    for (byte[] part : parts) {
      content.writeBytes(part);
    }
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(number << 3 | 2);
    out.write(content.size());
    out.writeBytes(content.toByteArray());
    return out.toByteArray();
  }

  private static byte[] text(int number, String text) {
    return field(number, text.getBytes(StandardCharsets.UTF_8));
  }

  private static byte[] number(int number, int value) {
    return new byte[] {(byte) (number << 3), (byte) value};
  }

  private static byte[] body(String apiVersion, String kind, byte[]... fields) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(new byte[] {'k', '8', 's', 0});
    out.writeBytes(field(1, text(1, apiVersion), text(2, kind)));
    out.writeBytes(field(2, fields));
    return out.toByteArray();
  }

  @Test
  void readsMapsListsNumbersAndBytes() {
    ObjectNode map =
        protobuf.read(
            body(
                "v1",
                "Secret",
                field(1, text(1, "s"), text(3, "n"), field(8), number(7, 0)),
                field(2, text(1, "k"), text(2, "value")),
                text(3, "Opaque")));
    assertEquals(
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":\"s\","
            + "\"namespace\":\"n\"},\"data\":{\"k\":\"dmFsdWU=\"},\"type\":\"Opaque\"}",
        Json.write(map));
    ObjectNode deployment =
        protobuf.read(body("apps/v1", "Deployment", field(2, number(1, 0), number(5, 0))));
    assertEquals("{\"replicas\":0}", Json.write(deployment.get("spec")), "zero replicas count");
  }

  @Test
  void unknownKindsAndFieldsAreNamed() {
    ApiException kind =
        assertThrows(ApiException.class, () -> protobuf.read(body("v1", "Unheard")));
    assertEquals(415, kind.code());
    ApiException field =
        assertThrows(
            ApiException.class, () -> protobuf.read(body("v1", "ConfigMap", text(15, "x"))));
    assertEquals(400, field.code());
  }

  @Test
  void rubbishNeverDoesMoreThanFail() {
    Random random = new Random(7);
    byte[] good =
        body(
            "apps/v1",
            "Deployment",
            field(1, text(1, "a"), field(11, text(1, "k"), text(2, "v"))),
            field(2, field(3, field(2, field(2, text(1, "c"), text(2, "i"))))));
    protobuf.read(good);
    for (int round = 0; round < 20_000; round++) {
      byte[] bad = good.clone();
      for (int i = 0; i <= random.nextInt(3); i++) {
        bad[4 + random.nextInt(bad.length - 4)] = (byte) random.nextInt();
      }
      try {
        protobuf.read(bad);
      } catch (ApiException expected) {
        assertEquals(4, expected.code() / 100);
      }
    }
  }
}
