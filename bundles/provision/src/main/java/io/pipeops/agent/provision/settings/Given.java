package io.pipeops.agent.provision.settings;

import java.util.List;

/**
 * A value that somebody gave, not yet checked.
 *
 * @param key the name as it was written
 * @param target what the name stands for
 * @param values the texts
 * @param source where it stands, such as {@code agent.yaml:12}
 */
record Given(String key, SettingLookup.Target target, List<String> values, String source) {
  Given {
    values = List.copyOf(values);
  }
}
