/**
 * The one typed registry of settings and what fills it: {@link MetatypeReader} reads what the
 * bundles declare, {@link SettingLookup} finds a setting by any of its names, {@link SettingsFile},
 * {@link EnvironmentSettings} and {@link FlagSettings} read what was given, {@link Evaluation}
 * checks it and says what is in force. Nothing here knows OSGi.
 */
package io.pipeops.agent.provision.settings;
