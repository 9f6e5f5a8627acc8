package io.pipeops.agent.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.Message;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The messages of the resumable link. */
class LinkMessagesTest {
  private static Message again(Payload payload) throws ProtocolException {
    ByteBuffer text = Envelopes.write("", payload);
    return Envelopes.parse(text.array(), text.arrayOffset(), text.remaining());
  }

  @Test
  void areReadAsTheyWereWritten() throws Exception {
    LinkResume resume = new LinkResume("s", "secret", 1L << 40);
    assertEquals(resume, LinkResume.parse(again(resume).payload()));
    assertFalse(resume.toString().contains("secret"));
    assertEquals(new LinkAck(7), LinkAck.parse(again(new LinkAck(7)).payload()));
    assertEquals(new LinkResumed(0), LinkResumed.parse(again(new LinkResumed(0)).payload()));
    assertEquals(LinkAck.TYPE, again(new LinkAck(7)).type());
  }

  @Test
  void aCountThatIsNoneIsRefused() {
    for (String count : List.of("-1", "1.5", "\"1\"", "null", "1e3", "99999999999999999999999")) {
      JsonText text = JsonText.of("{\"received\":" + count + "}");
      assertThrows(ProtocolException.class, () -> LinkAck.parse(text), count);
      assertThrows(ProtocolException.class, () -> LinkResumed.parse(text), count);
    }
    assertThrows(ProtocolException.class, () -> LinkAck.parse(JsonText.of("{}")));
    assertThrows(ProtocolException.class, () -> LinkResume.parse(JsonText.of("{\"received\":1}")));
    assertThrows(
        ProtocolException.class,
        () -> LinkResume.parse(JsonText.of("{\"received\":1,\"session\":\"s\",\"secret\":\"\"}")));
  }

  @Test
  void anOfferTravelsInAnotherMessage() {
    ResumeOffer offer = new ResumeOffer("s-1", "hidden", Duration.ofSeconds(60));
    assertEquals(offer, ResumeOffer.read(offer.fields()).orElseThrow());
    assertFalse(offer.toString().contains("hidden"));
  }

  @Test
  void anOfferThatMakesNoSenseIsNone() {
    for (Map.Entry<String, Object> wrong :
        List.of(
            Map.entry("session", (Object) ""),
            Map.entry("session", (Object) "a\r\nX-Evil: 1"),
            Map.entry("session", (Object) "x".repeat(129)),
            Map.entry("session", (Object) 1),
            Map.entry("secret", (Object) ""),
            Map.entry("secret", (Object) "x".repeat(129)),
            Map.entry("limit_seconds", (Object) 0),
            Map.entry("limit_seconds", (Object) (-5)),
            Map.entry("limit_seconds", (Object) "60"))) {
      Map<String, Object> fields =
          new HashMap<>(Map.of("session", "s", "secret", "x", "limit_seconds", 60));
      fields.put(wrong.getKey(), wrong.getValue());
      assertTrue(ResumeOffer.read(Map.of("resume", fields)).isEmpty(), wrong::toString);
    }
    assertTrue(ResumeOffer.read(Map.of("resume", "yes")).isEmpty());
    assertTrue(ResumeOffer.read(Map.of()).isEmpty());
    assertEquals(
        Duration.ofHours(1),
        ResumeOffer.read(
                Map.of("resume", Map.of("session", "s", "secret", "x", "limit_seconds", 1e18)))
            .orElseThrow()
            .limit());
  }
}
