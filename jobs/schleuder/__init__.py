"""What plugins and registries of jobschleuder say."""
