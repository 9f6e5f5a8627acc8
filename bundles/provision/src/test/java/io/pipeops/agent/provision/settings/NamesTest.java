package io.pipeops.agent.provision.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NamesTest {
  @ParameterizedTest
  @CsvSource({
    "seconds, 30s, 30",
    "seconds, 30, 30",
    "seconds, 1h2m3.5s, 3724",
    "seconds, 500ms, 1",
    "millis, 500ms, 500",
    "millis, 1m, 60000",
    "millis, 1500us, 2",
    "hours, 4, 14400",
    "attempts, 0, 3",
    "attempts, 7, 7",
    "invert, true, false",
    "level, WARNING, warn",
    "level, panic, error",
  })
  void convertsTheExistingAgentsValues(String conversion, String given, String expected) {
    assertEquals(expected, Conversion.named(conversion).convert(given));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "s", "1", "1.5", "-1s", "1s2", "1d", "99999999999999999999s", "1s 2s"})
  void refusesWhatIsNoDuration(String text) {
    if (text.equals("1")) {
      assertEquals("1", Conversion.SECONDS.convert(text));
    } else {
      assertThrows(IllegalArgumentException.class, () -> Conversion.SECONDS.convert(text));
    }
  }

  @Test
  void everyNameInTheTableIsThereOnce() {
    Set<String> seen = new HashSet<>();
    for (Alias alias : SettingsFixture.ALIASES.all()) {
      alias.keys().forEach(k -> assertTrue(seen.add("key " + Keys.normal(k)), k));
      alias.environment().forEach(e -> assertTrue(seen.add("variable " + e), e));
      alias.flags().forEach(f -> assertTrue(seen.add("flag " + f), f));
    }
    assertTrue(seen.size() > 100);
    assertTrue(SettingsFixture.ALIASES.targets().contains("link.token"));
  }

  @Test
  void theTableIsChecked() {
    assertThrows(IllegalStateException.class, () -> new Aliases("link.url | | x"));
    assertThrows(IllegalArgumentException.class, () -> new Aliases("link.url | what | x | y | z"));
  }

  @Test
  void variablesOfTheHubNeedNoPrefix() {
    Setting hub = SettingsFixture.registry().find("hub.port").orElseThrow();
    assertEquals(List.of("HUB_PORT", "AGENT_HUB_PORT"), hub.environment());
    Setting tunnel = SettingsFixture.registry().find("tunnel.drain-seconds").orElseThrow();
    assertEquals(List.of("AGENT_TUNNEL_DRAIN_SECONDS"), tunnel.environment());
  }

  @Test
  void factoriesAreNoSettings() {
    assertFalse(SettingsFixture.registry().find("many.x").isPresent());
  }

  @Test
  void refusesMetatypeThatIsNoXml() {
    for (String xml : List.of("", "<a>", "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>")) {
      assertThrows(
          IOException.class,
          () ->
              MetatypeReader.read(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8))));
    }
  }

  @Test
  void splitsDefaultsAsMetatypeEscapesThem() {
    assertEquals(List.of("a,b", "c"), MetatypeReader.split("a\\,b, c"));
    assertEquals(List.of(), MetatypeReader.split(""));
  }

  @ParameterizedTest
  @CsvSource({
    "token, true",
    "token.file, false",
    "state.secret.name, false",
    "service.token, true",
    "password, true",
    "port, false",
  })
  void knowsWhichNamesSpeakOfSecrets(String name, boolean secret) {
    assertEquals(secret, Setting.secretName(name));
  }
}
