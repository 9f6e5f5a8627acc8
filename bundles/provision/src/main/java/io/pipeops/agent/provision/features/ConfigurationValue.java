package io.pipeops.agent.provision.features;

import io.pipeops.agent.provision.settings.SettingType;
import java.lang.reflect.Array;
import java.util.List;

/**
 * A property's value in a feature file.
 *
 * @param type declared type
 * @param multiple whether it is an array
 * @param texts the values as text
 */
public record ConfigurationValue(SettingType type, boolean multiple, List<String> texts) {
  public ConfigurationValue {
    texts = List.copyOf(texts);
  }

  /**
   * The typed value.
   *
   * @throws IllegalArgumentException if a text has not the type's form
   */
  public Object value() {
    if (!multiple) {
      return type.parse(texts.get(0));
    }
    Object array = Array.newInstance(type.boxed(), texts.size());
    for (int i = 0; i < texts.size(); i++) {
      Array.set(array, i, type.parse(texts.get(i)));
    }
    return array;
  }
}
