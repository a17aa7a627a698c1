export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The bars that `letterbox` leaves free. */
export interface Padding {
  /** `end`: all of them to the right or below; `around`: half on either side. */
  readonly position: 'end' | 'around';
  /** Grey, 0..255. */
  readonly value: number;
}

/** The part of a target that the picture covers, in whole pixels of the target. */
export interface PlacedPicture extends Size {
  readonly left: number;
  readonly top: number;
}

/** Where `letterbox` puts a picture: as large as fits, its aspect ratio kept. */
export function placePicture(
  picture: Size,
  target: Size & { readonly padding: Pick<Padding, 'position'> },
): PlacedPicture {
  const scale = Math.min(target.width / picture.width, target.height / picture.height);
  // The long side is exact but for rounding; the short side of a very thin picture keeps one pixel.
  const width = Math.min(Math.max(Math.round(picture.width * scale), 1), target.width);
  const height = Math.min(Math.max(Math.round(picture.height * scale), 1), target.height);
  if (target.padding.position === 'end') return { left: 0, top: 0, width, height };
  return {
    left: Math.floor((target.width - width) / 2),
    top: Math.floor((target.height - height) / 2),
    width,
    height,
  };
}

/** Where a picture lies in the input of a model, for the way back: `input = picture * scale + (left, top)`. */
export interface Placement extends Size {
  readonly left: number;
  readonly top: number;
  readonly scaleX: number;
  readonly scaleY: number;
}

/** The placement of a picture of `picture` pixels in a target that shows all of it. */
export function placement(
  picture: Size,
  target: Size & { readonly resize: 'letterbox' | 'stretch'; readonly padding: Padding },
): Placement {
  const { left, top, width, height } =
    target.resize === 'letterbox' ? placePicture(picture, target) : { left: 0, top: 0, ...target };
  const scale = { scaleX: width / picture.width, scaleY: height / picture.height };
  return { ...picture, left, top, ...scale };
}
