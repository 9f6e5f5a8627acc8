package io.pipeops.agent.provision;

import io.pipeops.agent.provision.features.BundleDigest;
import io.pipeops.agent.provision.features.FeatureFolder;
import io.pipeops.agent.provision.settings.Aliases;
import io.pipeops.agent.provision.settings.EffectiveSettings;
import io.pipeops.agent.provision.settings.Evaluation;
import io.pipeops.agent.provision.settings.SettingRegistry;
import io.pipeops.agent.provision.settings.Sources;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the settings file and knows what the operator says. A change counts once the file has
 * been the same for two looks: it may be in the middle of being written. Used by one thread.
 */
final class SettingsWatch {
  private static final Logger log = LoggerFactory.getLogger(SettingsWatch.class);
  private static final int MAX_BYTES = 1 << 20;

  private final Path file;
  private final Aliases aliases = Aliases.load();
  private final List<String> required;

  private Sources sources;
  private Sources good;
  private String stamp = "";
  private String pending = "";
  private String problem = "";

  SettingsWatch(Path file, Map<String, String> variables, String flags, List<String> required) {
    this.file = file;
    this.required = required;
    this.sources = new Sources(file == null ? "settings" : file.toString(), "", variables, flags);
    this.good = sources;
    if (file != null) {
      stamp = FeatureFolder.stamp(file);
      pending = stamp;
      read();
    }
  }

  /** Whether the operator named a file that is not there. */
  boolean missing() {
    return file != null && stamp.isEmpty();
  }

  /** Looks at the file; true if it has another content now. */
  boolean changed() {
    if (file == null) {
      return false;
    }
    String now = FeatureFolder.stamp(file);
    boolean settled = now.equals(pending);
    pending = now;
    if (!settled || now.equals(stamp)) {
      return false;
    }
    stamp = now;
    if (now.isEmpty()) {
      log.warn("The settings file {} is gone; the last settings stay in force", file);
      return false;
    }
    String text = sources.file();
    String trouble = problem;
    read();
    return !text.equals(sources.file()) || !trouble.equals(problem);
  }

  private void read() {
    problem = "";
    if (stamp.isEmpty()) {
      return;
    }
    try {
      byte[] content = BundleDigest.bounded(file, MAX_BYTES);
      sources =
          sources.withFile(
              StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(content)).toString());
    } catch (CharacterCodingException malformed) {
      problem = file + ": is not UTF-8 text";
    } catch (IOException unreadable) {
      problem = file + ": cannot be read: " + unreadable.getMessage();
    }
  }

  /** Checks what the operator says now; if it is good, it is in force from here on. */
  Evaluation look(SettingRegistry registry) {
    Evaluation result = Evaluation.of(registry, aliases, Map.of(), sources, required);
    if (!problem.isEmpty()) {
      return new Evaluation(
          result.settings(), List.of(problem), result.warnings(), result.withoutEffect());
    }
    if (result.good()) {
      good = sources;
    }
    return result;
  }

  /** What is in force: what the operator said last that was good, over what feature files say. */
  EffectiveSettings effective(
      SettingRegistry registry, Map<String, Map<String, List<String>>> defaults) {
    return Evaluation.of(registry, aliases, defaults, good, List.of()).settings();
  }
}
