"""Opens and decodes sealed frames: keys, counter windows, meter profiles. The only room where a reading comes out."""
